/// How patches become visual tokens.
public enum ProjectorConfiguration: Hashable, Sendable {
    /// One linear map (LLaVA 1).
    case linear
    /// Linear, GELU, linear (LLaVA 1.5).
    case mlp2xGelu
    /// Squares of `factor`² neighbouring patches side by side, then a linear map (Idefics3, SmolVLM, nanoVLM).
    case pixelShuffle(factor: Int)

    /// Visual tokens of a picture cut into `rows` × `columns` patches.
    public func tokenCount(rows: Int, columns: Int) -> Int {
        switch self {
        case .linear, .mlp2xGelu: rows * columns
        case .pixelShuffle(let factor): (rows / factor) * (columns / factor)
        }
    }

    /// The name in recipes.
    public var name: String { kind.rawValue }

    private var kind: Kind {
        switch self {
        case .linear: .linear
        case .mlp2xGelu: .mlp2xGelu
        case .pixelShuffle: .pixelShuffle
        }
    }

    /// The kinds by their names in recipes and configurations.
    public enum Kind: String, Sendable, CaseIterable {
        case linear
        case mlp2xGelu = "mlp2x_gelu"
        case pixelShuffle = "pixel_shuffle"
    }

    /// A projector of a kind.
    ///
    /// - Parameter shuffleFactor: side of the squares of pixel shuffle; the others have none.
    public init(_ kind: Kind, shuffleFactor: Int) {
        switch kind {
        case .linear: self = .linear
        case .mlp2xGelu: self = .mlp2xGelu
        case .pixelShuffle: self = .pixelShuffle(factor: shuffleFactor)
        }
    }
}
