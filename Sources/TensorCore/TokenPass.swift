/// One product's weights: of one linear map, or of several that stand one after another in memory.
public struct MapWeights {
    /// `[outputs, inputs]`, in any weight dtype.
    public let weight: Tensor
    /// `[outputs]`, nil for none.
    public let bias: Tensor?

    /// The maps as one; nil where their weights or biases are apart.
    public init?(_ maps: [(weight: Tensor, bias: Tensor?)]) {
        guard var (weight, bias) = maps.first else { return nil }
        for next in maps.dropFirst() {
            guard let joined = weight.detached.joined(with: next.weight.detached) else { return nil }
            weight = joined
            switch (bias, next.bias) {
            case (nil, nil): break
            case (let first?, let second?):
                guard let joined = first.detached.joined(with: second.detached) else { return nil }
                bias = joined
            default: return nil
            }
        }
        self.weight = weight.detached
        self.bias = bias?.detached
    }
}

/// The weights of a pre-norm decoder block: h = x + output(attention(rms(x))), y = h + down(activation(gate(rms(h))) ⊙ up(rms(h))).
public struct DecoderBlockWeights {
    /// Weight and ε of the norms before attention and before the feed-forward.
    public let norms: [(weight: Tensor, epsilon: Float)]
    /// Queries, keys and values side by side.
    public let queryKeyValue: MapWeights
    /// Back from attention.
    public let output: MapWeights
    /// Gate and up side by side.
    public let gateUp: MapWeights
    /// Back from the feed-forward.
    public let down: MapWeights
    /// Of the gate.
    public let activation: Activation
    /// How queries, keys and values divide into heads.
    public let heads: HeadLayout
    /// Tokens that a token sees at most, itself included; nil without limit.
    public let window: Int?

    /// A block's weights.
    public init(
        norms: [(weight: Tensor, epsilon: Float)], queryKeyValue: MapWeights, output: MapWeights, gateUp: MapWeights,
        down: MapWeights, activation: Activation, heads: HeadLayout, window: Int?
    ) {
        precondition(norms.count == 2, "a block has two norms, not \(norms.count)")
        self.norms = norms.map { ($0.weight.detached, $0.epsilon) }
        self.queryKeyValue = queryKeyValue
        self.output = output
        self.gateUp = gateUp
        self.down = down
        self.activation = activation
        self.heads = heads
        self.window = window
    }
}

/// Where a new token stands among those of its sequence.
public struct TokenPlace {
    /// Row of every cache where the sequence begins.
    public let firstKey: Int
    /// Tokens of the sequence with the new one, whose keys and values become the last of these rows.
    public let keys: Int
    /// Cosines and sines of its position, `[1, headWidth]`; nil without rotary positions.
    public let angles: Tensor?

    /// A place.
    public init(firstKey: Int, keys: Int, angles: Tensor?) {
        self.firstKey = firstKey
        self.keys = keys
        self.angles = angles
    }
}

/// The weights of a decoder: its blocks, the norm behind them and the head.
public struct DecoderWeights {
    /// Blocks, in their order.
    public let blocks: [DecoderBlockWeights]
    /// Weight and ε of the root-mean-square norm behind them.
    public let norm: (weight: Tensor, epsilon: Float)
    /// From a hidden state to logits.
    public let head: MapWeights

    /// A decoder's weights.
    public init(blocks: [DecoderBlockWeights], norm: (weight: Tensor, epsilon: Float), head: MapWeights) {
        self.blocks = blocks
        self.norm = (norm.weight.detached, norm.epsilon)
        self.head = head
    }
}

/// A decoder as a back end takes single tokens of one or several sequences through all of it at once.
public protocol TokenPass: AnyObject {
    /// Whether it takes tokens of so many sequences together.
    func takes(sequences: Int) -> Bool

    /// logits `[sequences, vocabulary]` behind the tokens x `[sequences, hidden]`, one of each sequence.
    ///
    /// - Parameter caches: keys and values of each block, `[rows, 2 · keyValueColumns]`, float32 or of `factorType`.
    /// - Returns: the index of each sequence's largest logit, the first of equals.
    func callAsFunction(_ x: Tensor, caches: [Tensor], at places: [TokenPlace], into logits: Tensor) -> [Int]
}
