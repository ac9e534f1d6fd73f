/// The elementwise functions of the supported families.
public enum Activation: String, Sendable, CaseIterable {
    /// ½ x (1 + erf(x/√2)).
    case gelu
    /// ½ x (1 + tanh(√(2/π)(x + 0.044715 x³))).
    case geluTanh
    /// x σ(1.702 x), CLIP's approximation.
    case quickGelu
    /// x σ(x).
    case silu
    case relu
    case tanh
    case sigmoid
}

/// How the columns of queries, keys and values divide into heads.
public struct HeadLayout: Hashable, Sendable {
    /// Heads of the queries.
    public let queryHeads: Int
    /// Heads of keys and values; a divisor of `queryHeads` (grouped-query attention, Ainslie et al. 2023).
    public let keyValueHeads: Int
    /// Columns of one head.
    public let width: Int
    /// Factor on the scores, normally 1/√width.
    public let scale: Float

    /// A layout; `scale` defaults to 1/√width.
    public init(queryHeads: Int, keyValueHeads: Int, width: Int, scale: Float? = nil) {
        precondition(
            keyValueHeads > 0 && queryHeads % keyValueHeads == 0,
            "\(queryHeads) query heads do not divide over \(keyValueHeads) key-value heads")
        self.queryHeads = queryHeads
        self.keyValueHeads = keyValueHeads
        self.width = width
        self.scale = scale ?? 1 / Float(width).squareRoot()
    }

    /// Columns of the queries.
    public var queryColumns: Int { queryHeads * width }
    /// Columns of the keys, and of the values.
    public var keyValueColumns: Int { keyValueHeads * width }
}

/// Which keys each query sees: packed sequences, block-diagonal, causal or not, with or without a cache.
///
/// Segment s owns query rows `queryOffsets[s] ..< queryOffsets[s+1]` and key rows `keyStarts[s] ..< keyStarts[s] + keyCounts[s]`.
/// With `isCausal`, the last query is aligned with the last key: query i of q sees keys j ≤ i + k − q. The first `prefixCounts[s]` keys
/// are seen by all queries of the segment (PaliGemma's prefix).
public struct AttentionSegments: Sendable {
    /// Row where each segment's queries begin, and the total: `[segments + 1]`.
    public let queryOffsets: [Int32]
    /// Row where each segment's keys begin.
    public let keyStarts: [Int32]
    /// Number of keys of each segment.
    public let keyCounts: [Int32]
    /// Whether later keys are hidden.
    public let isCausal: Bool
    /// Keys at the start of each segment that every query sees; nil means none.
    public var prefixCounts: [Int32]?
    /// Keys that a query of a causal segment sees at most, itself the last of them (Beltagy et al. 2020); nil without limit.
    public var window: Int?

    /// Segments whose keys stand at the same rows as their queries.
    public init(offsets: [Int32], isCausal: Bool, prefixCounts: [Int32]? = nil) {
        queryOffsets = offsets
        keyStarts = Array(offsets.dropLast())
        keyCounts = zip(offsets, offsets.dropFirst()).map { $1 - $0 }
        self.isCausal = isCausal
        self.prefixCounts = prefixCounts
    }

    /// Segments whose keys stand elsewhere, in a cache.
    public init(
        queryOffsets: [Int32], keyStarts: [Int32], keyCounts: [Int32], isCausal: Bool, prefixCounts: [Int32]? = nil
    ) {
        self.queryOffsets = queryOffsets
        self.keyStarts = keyStarts
        self.keyCounts = keyCounts
        self.isCausal = isCausal
        self.prefixCounts = prefixCounts
    }

    /// Equal segments of `length` rows: the pictures of a batch.
    public static func uniform(count: Int, length: Int, isCausal: Bool = false) -> AttentionSegments {
        AttentionSegments(offsets: (0...count).map { Int32($0 * length) }, isCausal: isCausal)
    }

    /// Number of segments.
    public var count: Int { keyCounts.count }
    /// Rows of queries.
    public var queryCount: Int { Int(queryOffsets.last ?? 0) }
    /// Row of each segment's last query. No segment is without queries.
    public var lastRows: [Int32] { queryOffsets.dropFirst().map { $0 - 1 } }

    /// The same keys with each segment's last query alone.
    public var withLastQueries: AttentionSegments {
        var result = AttentionSegments(
            queryOffsets: (0...Int32(count)).map { $0 }, keyStarts: keyStarts, keyCounts: keyCounts,
            isCausal: isCausal, prefixCounts: prefixCounts)
        result.window = window
        return result
    }
}

/// One run of weights under one learning rate.
public struct AdamWSlice {
    /// Weights, updated in place.
    public let parameter: Tensor
    /// Gradient, read only.
    public let gradient: Tensor
    /// Running mean of gradients, updated in place.
    public let firstMoment: Tensor
    /// Running mean of squared gradients, updated in place.
    public let secondMoment: Tensor
    /// Learning rate of this slice.
    public let learningRate: Float
    /// Decoupled weight decay of this slice.
    public let weightDecay: Float

    /// A slice of equally sized tensors.
    public init(
        parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, learningRate: Float,
        weightDecay: Float
    ) {
        self.parameter = parameter
        self.gradient = gradient
        self.firstMoment = firstMoment
        self.secondMoment = secondMoment
        self.learningRate = learningRate
        self.weightDecay = weightDecay
    }
}

/// What all slices of an AdamW update share.
public struct AdamWSettings: Sendable {
    /// Decay of the first moment; in double, since 1 − 0.999 rounded to float32 first is wrong in the fifth digit.
    public let beta1: Double
    /// Decay of the second moment.
    public let beta2: Double
    /// Added to the root of the second moment.
    public let epsilon: Double
    /// 1 for the first update.
    public let step: Int
    /// Factor on every gradient: 1/supervised tokens, times the clip.
    public let gradientScale: Float

    /// Settings of update number `step`, counted from 1.
    public init(beta1: Double, beta2: Double, epsilon: Double, step: Int, gradientScale: Float) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.step = step
        self.gradientScale = gradientScale
    }
}

/// Weights as codes in blocks of 64 with a scale each, which may itself be a code: what NF4 and its like are.
public struct CodedWeights {
    /// Weights that share a scale.
    public static let blockLength = 64

    /// Two codes of 4 bits a byte, the first in the high half; or one signed byte each.
    public let codes: Tensor
    /// What the 16 codes of 4 bits mean; nil for 8 bits, where a code counts 127ths of the scale.
    public let values: [Float]?
    /// Where the blocks' scales come from.
    public let scales: Scales

    /// The scales of blocks.
    public enum Scales {
        /// `[blocks]`.
        case plain(Tensor)
        /// values[code] · outer[block / 256] + the last element of outer; 256 values.
        case coded(Tensor, values: [Float], outer: Tensor)
    }

    /// Codes and what they mean.
    public init(codes: Tensor, values: [Float]?, scales: Scales) {
        self.codes = codes
        self.values = values
        self.scales = scales
    }

    /// The scale of one block.
    package func scale(ofBlock block: Int) -> Float {
        switch scales {
        case .plain(let scales): return scales.floatPointer[block]
        case .coded(let codes, let values, let outer):
            let code = codes.pointer.assumingMemoryBound(to: UInt8.self)[block]
            return values[Int(code)] * outer.floatPointer[block / 256] + outer.floatPointer[outer.count - 1]
        }
    }
}
