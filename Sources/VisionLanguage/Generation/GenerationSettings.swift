/// How answers are generated.
public struct GenerationSettings: Sendable, Equatable {
    /// Longest answer, in tokens.
    public var maximumNewTokens: Int
    /// 0 takes the likeliest token; higher values draw more freely.
    public var temperature: Double
    /// Draw among the k likeliest tokens only; 0 for all.
    public var topK: Int
    /// Draw among the likeliest tokens that together reach this probability; 1 for all.
    public var topP: Double
    /// Leave out tokens less likely than this share of the likeliest; 0 for none.
    public var minP: Double
    /// Divides the scores of tokens that occurred already (Keskar et al. 2019); 1 for none.
    public var repetitionPenalty: Double
    /// Beams of beam search; 1 for none.
    public var beams: Int
    /// Exponent of the length that beams' scores are divided by.
    public var lengthPenalty: Double
    /// Seed of the draws. Each answer has its own stream, so that it does not depend on its neighbours.
    public var seed: UInt64
    /// Tokens that end an answer.
    public var stopIDs: Set<Int32>

    /// Whether the likeliest token is taken as it stands.
    var isGreedy: Bool { temperature == 0 && repetitionPenalty == 1 && beams == 1 }

    /// Greedy settings.
    public init(
        maximumNewTokens: Int = 64, temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0,
        repetitionPenalty: Double = 1, beams: Int = 1, lengthPenalty: Double = 1, seed: UInt64 = 0,
        stopIDs: Set<Int32> = []
    ) {
        self.maximumNewTokens = maximumNewTokens
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.beams = beams
        self.lengthPenalty = lengthPenalty
        self.seed = seed
        self.stopIDs = stopIDs
    }
}

/// A prompt as the model takes it.
public struct Prompt: Sendable {
    /// Token ids, negative where visual tokens stand.
    public let ids: [Int32]
    /// Pictures, one group a size; rows count within this prompt.
    public let pictures: [PictureGroup]

    /// A prompt.
    public init(ids: [Int32], pictures: [PictureGroup] = []) {
        self.ids = ids
        self.pictures = pictures
    }
}

/// Why an answer ended.
public enum FinishReason: String, Sendable {
    /// An end token, or a stop string.
    case stop
    /// The longest allowed answer.
    case length
}

/// A generated answer.
public struct GeneratedAnswer: Sendable, Equatable {
    /// Tokens without the end token.
    public var ids: [Int32]
    /// Why it ended.
    public var reason: FinishReason
    /// Score of beam search: log-probability over length^penalty.
    public var score: Double?

    /// An answer.
    public init(ids: [Int32] = [], reason: FinishReason = .length, score: Double? = nil) {
        self.ids = ids
        self.reason = reason
        self.score = score
    }
}
