public import Basics
import NeuralNetwork
import TensorCore

/// Some blocks, all their weights: the last ones, every n-th, or a few drawn anew every so many steps (LISA, Pan et al. 2024).
///
/// Drawn blocks keep their optimizer state while they rest. What stands outside the blocks (embeddings, the last norm, the head) is trained
/// with LISA, as in its paper, and frozen otherwise.
public struct PartialLayers: TuningMethod {
    /// Its name in recipes.
    public static let name = "layers"
    /// What it does.
    public static let summary = "all weights of some blocks: the last, every n-th, or drawn anew (LISA)"
    /// Which blocks.
    public enum Choice: Sendable, Equatable {
        /// The last so many.
        case top(Int)
        /// Every n-th, the last among them.
        case every(Int)
        /// So many, drawn every so many steps.
        case sampled(Int, interval: Int)
    }
    /// Which blocks.
    public var choice: Choice

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        let (top, every) = (options.int("top", minimum: 1), options.int("every", minimum: 1))
        let sampled = options.int("sample", minimum: 1)
        let interval = options.int("interval", minimum: 1) ?? 20
        choice = top.map { .top($0) } ?? every.map { .every($0) } ?? .sampled(sampled ?? 2, interval: interval)
        if [top, every, sampled].filter({ $0 != nil }).count != 1 {
            options.fault(
                "layers needs one of top, every and sample", fix: "for example {method: layers, top: 2}", key: nil)
        }
    }
    /// Blocks by a choice.
    public init(_ choice: Choice) { self.choice = choice }
    /// Its options, as they are read.
    public var json: JSONObject {
        switch choice {
        case .top(let count): ["top": .int(count)]
        case .every(let step): ["every": .int(step)]
        case .sampled(let count, let interval): ["sample": .int(count), "interval": .int(interval)]
        }
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let attached = AttachedMethod(self, target)
        let indices = Set(target.parameters.entries.compactMap { Self.block($0.path) }).sorted()
        guard !indices.isEmpty else {
            throw UnfitMethod(
                target, name, "it has no blocks", fix: "use it on vision or language; full or lora fit a projector")
        }
        attached.fold = {}
        switch choice {
        case .top(let count):
            let chosen = Set(indices.suffix(count))
            attached.changed = target.parameters.filter { Self.block($0.path).map(chosen.contains) ?? false }
        case .every(let step):
            let chosen = Set(indices.reversed().enumerated().filter { $0.offset % step == 0 }.map(\.element))
            attached.changed = target.parameters.filter { Self.block($0.path).map(chosen.contains) ?? false }
        case .sampled(let count, let interval):
            attached.changed = target.parameters
            let blocks = target.parameters.entries.compactMap { entry in
                Self.block(entry.path).map { (index: $0, parameter: entry.parameter) }
            }
            let seed = target.initializer.seed()
            attached.willStep = { step in
                var generator = RandomGenerator(seed: seed, stream: UInt64(step / interval))
                var order = indices
                generator.shuffle(&order)
                let chosen = Set(order.prefix(count))
                for block in blocks {
                    block.parameter.isTrainable = chosen.contains(block.index)
                }
            }
            attached.remove = { for block in blocks { block.parameter.isTrainable = true } }
        }
        return attached
    }

    /// The block that a path lies in.
    private static func block(_ path: String) -> Int? {
        let parts = path.split(separator: ".")
        guard let place = parts.firstIndex(of: "layers"), place + 1 < parts.count else { return nil }
        return Int(parts[place + 1])
    }
}
