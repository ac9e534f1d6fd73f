public import Basics
import NeuralNetwork
import TensorCore

/// A hypernetwork that writes low-rank adapters from an instruction, in the manner of HINT (Ivison et al. 2023).
///
/// Each data source of a stage has an instruction. The instruction is read once, as the mean of its tokens' embeddings; a small
/// network with a learned code a map turns it into A and B of every map, and the samples of that source run through those. What it
/// has learned serves instructions that it has never seen: `vitrail adapter write` makes a plain LoRA of one.
public struct Hypernetwork: TuningMethod {
    /// Its name in recipes.
    public static let name = "hint"
    /// What it does.
    public static let summary = "a network that writes low-rank adapters from an instruction"
    /// One instruction a data source, in their order; a single one serves all.
    public var instructions: [String]
    /// Their token ids, where they have been read already: numbers with spaces between.
    var ids: [String]
    /// Rank of the adapters.
    public var rank: Int
    /// Width of the network.
    public var hidden: Int
    /// Names of the maps; nil for all maps of the blocks.
    public var targets: [String]?

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        instructions = options.strings("instructions") ?? []
        ids = options.strings("instruction_ids") ?? []
        rank = options.rank(or: 4)
        hidden = options.extent("hidden", or: 64, advice: "take 32 to 256")
        targets = options.strings("targets")
        if instructions.isEmpty || instructions.contains("") {
            options.fault(
                "hint needs an instruction a data source",
                fix: "for example instructions: [\"Name the colour.\", \"Name the shape.\"]", key: "instructions")
        }
    }
    /// Adapters from instructions.
    public init(instructions: [String], rank: Int = 4, hidden: Int = 64) {
        (self.instructions, self.rank, self.hidden) = (instructions, rank, hidden)
        ids = []
    }
    /// Its options, as they are read.
    public var json: JSONObject {
        var object: JSONObject = [
            "instructions": .array(instructions.map { .string($0) }), "rank": .int(rank), "hidden": .int(hidden),
        ]
        if !ids.isEmpty { object["instruction_ids"] = .array(ids.map { .string($0) }) }
        if let targets { object["targets"] = .array(targets.map { .string($0) }) }
        return object
    }

    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        guard let decoder = target.tree.sites.lazy.compactMap({ $0.site as? any VirtualTokenSite }).first else {
            throw UnfitMethod(target, name, "no decoder is there to read instructions", fix: "use lora on this model")
        }
        var read = self
        if read.ids.count != instructions.count {
            guard let encode = target.context.encode else {
                throw UnfitMethod(
                    target, name, "no tokenizer is at hand for its instructions", fix: "name the model's folder")
            }
            read.ids = instructions.map { encode($0).map { String($0) }.joined(separator: " ") }
        }
        let maps = try target.maps(targets, for: name)
        let writer = AdapterWriter(
            maps.map(\.map), embedding: decoder.embedding, rank: rank, hidden: hidden, target.initializer)
        for (text, ids) in zip(read.instructions, read.ids) {
            let numbers = ids.split(separator: " ").compactMap { Int32($0) }
            guard writer.learn(numbers) else {
                throw UnfitMethod(target, name, "the instruction \"\(text)\" has no tokens", fix: "write a sentence")
            }
        }
        let attached = AttachedMethod(read, target)
        attached.savedMethod = read
        let part = String((maps.first?.path ?? "language").prefix { $0 != "." })
        for entry in writer.parameters.entries where !entry.path.hasPrefix("codes.") {
            attached.add(entry.parameter, at: "", "hint." + entry.path, part: part)
        }
        var adapters: [(Linear, WrittenAdapter)] = []
        for (index, (path, map)) in maps.enumerated() {
            attached.add(writer.codes[index], at: path, "hint_code")
            let adapter = WrittenAdapter(writer, index)
            map.push(adapter)
            adapters.append((map, adapter))
        }
        attached.remove = { for (map, adapter) in adapters { map.remove(adapter) } }
        attached.foldObstacle =
            "it writes another adapter for every instruction; vitrail adapter write makes a plain one of an instruction"
        attached.selectSource = { writer.selected = min($0, writer.instructions - 1) }
        attached.written = { ids in
            guard writer.learn(ids) else { return nil }
            writer.selected = writer.instructions - 1
            let tensors = GradientRecording.disabled {
                maps.indices.flatMap { index -> [AdapterTensor] in
                    let (a, b) = writer.product(index)
                    return [("lora_A.weight", a), ("lora_B.weight", b)].map { name, tensor in
                        AdapterTensor(
                            site: maps[index].path, name: name, shape: tensor.shape.dimensions, values: tensor.floats)
                    }
                }
            }
            return (LoRA(rank: rank, alpha: Double(rank)), tensors)
        }
        return attached
    }
}

/// The network: instruction → hidden, plus a code a map → A and B by the map's sizes.
final class AdapterWriter: Module {
    let codes: [Parameter]
    /// The instruction that adapters are written from.
    var selected = 0
    private let first: Linear
    private let downs: [(columns: Int, map: Linear)]
    private let ups: [(columns: Int, map: Linear)]
    private let embedding: Parameter
    private let maps: [Linear]
    private let rank: Int
    private var read: [Tensor] = []

    init(_ maps: [Linear], embedding: Parameter, rank: Int, hidden: Int, _ initializer: Initializer) {
        self.maps = maps
        self.embedding = embedding
        self.rank = rank
        first = .evenly(inputs: embedding.shape[1], outputs: hidden, initializer)
        codes = maps.map { _ in initializer.normal([1, hidden], deviation: 1, decays: false) }
        func sizes(_ list: [Int]) -> [Int] {
            list.indices.filter { list.firstIndex(of: list[$0]) == $0 }.map { list[$0] }
        }
        // A starts as LoRA's does, even in ±1/√inputs; B at zero, so that the model starts as the base.
        downs = sizes(maps.map(\.inputs)).map { columns in
            let deviation = 1 / (3 * Float(columns) * Float(hidden)).squareRoot()
            return (
                columns,
                Linear(weight: initializer.normal([rank * columns, hidden], deviation: deviation), bias: nil)
            )
        }
        ups = sizes(maps.map(\.outputs)).map {
            ($0, Linear(weight: initializer.constant([$0 * rank, hidden], 0, decays: true), bias: nil))
        }
    }

    var parameters: ParameterTree {
        var tree: ParameterTree = ["first": first]
        for (columns, map) in downs { tree.append(map.parameters, under: "a.\(columns)") }
        for (columns, map) in ups { tree.append(map.parameters, under: "b.\(columns)") }
        for (index, code) in codes.enumerated() { tree.append(["codes": code], under: "codes.\(index)") }
        return tree
    }

    /// Instructions read so far.
    var instructions: Int { read.count }

    /// Reads an instruction: the mean of its tokens' embeddings, brought to size 1 a column. False when it has no tokens.
    func learn(_ ids: [Int32]) -> Bool {
        let known = ids.map { Int($0) }.filter { (0..<embedding.shape[0]).contains($0) }
        guard !known.isEmpty else { return false }
        let columns = embedding.shape[1]
        var mean = [Double](repeating: 0, count: columns)
        for id in known {
            for (column, value) in embedding.value.rows(id..<id + 1).floats.enumerated() {
                mean[column] += Double(value)
            }
        }
        let square = mean.reduce(0) { $0 + $1 * $1 } / Double(columns)
        let scale = square > 0 ? 1 / square.squareRoot() : 0
        read.append(
            Tensor(mean.map { Float($0 * scale) }, shape: [1, columns], on: embedding.value.backend))
        return true
    }

    /// A `[rank, inputs]` and B `[outputs, rank]` of a map for the selected instruction.
    func product(_ index: Int) -> (a: Tensor, b: Tensor) {
        let map = maps[index]
        let code = activation(.silu, first(read[selected]) + codes[index].tensor)
        let down = downs.first { $0.columns == map.inputs }?.map ?? downs[0].map
        let up = ups.first { $0.columns == map.outputs }?.map ?? ups[0].map
        return (down(code).reshaped([rank, map.inputs]), up(code).reshaped([map.outputs, rank]))
    }
}

/// B A of a map as the network writes them.
final class WrittenAdapter: LowRankLinearAdapter {
    private let writer: AdapterWriter
    private let index: Int

    init(_ writer: AdapterWriter, _ index: Int) { (self.writer, self.index) = (writer, index) }

    var parameters: ParameterTree { ["hint_code": writer.codes[index]] }

    func products(_ columns: Range<Int>) -> [LowRankProduct] {
        let (a, b) = writer.product(index)
        return [LowRankProduct(a: a, b: b, columns: columns, scale: 1)]
    }
}
