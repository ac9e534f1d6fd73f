import Basics
import NeuralNetwork
import TensorCore
import Yams

extension OptimizerRecipe {
    /// AdamW, and the settings that the others' papers recommend.
    static let standard = OptimizerRecipe(
        kind: .adamw, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, momentum: 0.95, rank: 32, interval: 200,
        scale: 0.25)

    /// Reads `optimizer:`, a name or a name with settings, and the settings that stand in the stage itself.
    init(_ stage: RecipeReader) {
        self = .standard
        weightDecay = stage.double("weight_decay", or: 0)
        if let node = stage.node("optimizer"), node.mapping != nil {
            _ = stage.mapping("optimizer") { reader in
                if let kind = reader.choice("name", Kind.self) {
                    self.kind = kind
                } else if reader.node("name") == nil {
                    reader.add(
                        "\"name\" is missing", fix: "one of \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                self.readBetas(reader)
                self.momentum = reader.double("momentum", maximum: Self.mostOfAMoment) ?? self.momentum
                self.rank = reader.int("rank", minimum: 1) ?? self.rank
                self.interval = reader.int("interval", minimum: 1) ?? self.interval
                self.scale = reader.double("scale") ?? self.scale
            }
        } else if let kind = stage.choice("optimizer", Kind.self) {
            self.kind = kind
            if kind == .lion { beta2 = 0.99 }
        }
        readBetas(stage)
    }

    /// A moment that forgets nothing never learns, and its correction divides by zero.
    private static let mostOfAMoment = 0.999_999
    /// Where gradients were zero so far, a step divides by this alone.
    private static let leastEpsilon = 1e-30

    private mutating func readBetas(_ reader: RecipeReader) {
        beta1 = reader.double("beta1", maximum: Self.mostOfAMoment) ?? beta1
        // Lion's own default; its moment forgets faster.
        beta2 = reader.double("beta2", maximum: Self.mostOfAMoment) ?? (kind == .lion && beta2 == 0.999 ? 0.99 : beta2)
        epsilon = reader.double("epsilon", minimum: Self.leastEpsilon) ?? epsilon
    }

    /// The optimizer over groups of parameters.
    ///
    /// - Parameter clip: largest norm of one parameter's gradient, for optimizers that never see all gradients at once.
    func make(_ groups: [ParameterTree], clip: Double?) -> any Optimizer {
        switch kind {
        case .adamw: AdamW(groups, beta1: beta1, beta2: beta2, epsilon: epsilon)
        case .adamw8bit: AdamW8Bit(groups, beta1: beta1, beta2: beta2, epsilon: epsilon)
        case .adafactor: Adafactor(groups)
        case .lion: Lion(groups, beta1: beta1, beta2: beta2)
        case .muon: Muon(groups, momentum: momentum, beta1: beta1, beta2: beta2, epsilon: epsilon)
        case .galore:
            GaLore(
                groups, rank: rank, interval: interval, scale: scale, beta1: beta1, beta2: beta2, epsilon: epsilon)
        case .lomo: Lomo(groups, adaptive: false, limit: clip)
        case .adalomo: Lomo(groups, adaptive: true, limit: clip)
        }
    }

    /// Whether gradients are used up during the backward pass.
    var isFused: Bool { kind == .lomo || kind == .adalomo }
}
