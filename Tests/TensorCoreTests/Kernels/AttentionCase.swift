import TensorCore
import Testing

/// One arrangement of packed segments and heads.
struct AttentionCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let heads: HeadLayout
    let segments: AttentionSegments
    let keyRows: Int

    private init(_ name: String, _ heads: HeadLayout, _ segments: AttentionSegments) {
        testDescription = name
        self.heads = heads
        self.segments = segments
        keyRows = zip(segments.keyStarts, segments.keyCounts).map { Int($0 + $1) }.max() ?? 0
    }

    private static let uneven: [Int32] = [0, 5, 6, 6, 23, 60, 61]
    private static let cached = AttentionSegments(
        queryOffsets: [0, 1, 4, 11], keyStarts: [0, 37, 40], keyCounts: [37, 3, 19], isCausal: true)

    private static func within(_ window: Int, _ segments: AttentionSegments) -> AttentionSegments {
        var result = segments
        result.window = window
        return result
    }

    static let all: [AttentionCase] = [
        AttentionCase(
            "window over short sequences", HeadLayout(queryHeads: 4, keyValueHeads: 2, width: 16),
            within(7, AttentionSegments(offsets: uneven, isCausal: true))),
        AttentionCase(
            "window over long sequences", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 40),
            within(100, AttentionSegments(offsets: [0, 401, 417], isCausal: true))),
        AttentionCase(
            "window of one", HeadLayout(queryHeads: 2, keyValueHeads: 2, width: 8),
            within(1, AttentionSegments(offsets: [0, 150], isCausal: true))),
        AttentionCase(
            "window over a cache", HeadLayout(queryHeads: 6, keyValueHeads: 2, width: 16), within(17, cached)),
        AttentionCase(
            "window over long caches", HeadLayout(queryHeads: 8, keyValueHeads: 2, width: 24),
            within(
                130,
                AttentionSegments(
                    queryOffsets: [0, 1, 2, 5], keyStarts: [0, 17, 317], keyCounts: [17, 300, 1025], isCausal: true))),
        AttentionCase(
            "one token", HeadLayout(queryHeads: 1, keyValueHeads: 1, width: 4), .uniform(count: 1, length: 1)),
        AttentionCase("no token", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 8), .uniform(count: 1, length: 0)),
        AttentionCase(
            "pictures", HeadLayout(queryHeads: 3, keyValueHeads: 3, width: 16), .uniform(count: 3, length: 17)),
        AttentionCase(
            "uneven causal", HeadLayout(queryHeads: 4, keyValueHeads: 2, width: 16),
            AttentionSegments(offsets: uneven, isCausal: true)),
        AttentionCase(
            "uneven bidirectional", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 32),
            AttentionSegments(offsets: uneven, isCausal: false)),
        AttentionCase(
            "prefixes", HeadLayout(queryHeads: 2, keyValueHeads: 2, width: 8),
            AttentionSegments(offsets: uneven, isCausal: true, prefixCounts: [3, 1, 0, 0, 37, 0])),
        AttentionCase("cache", HeadLayout(queryHeads: 6, keyValueHeads: 2, width: 16), cached),
        AttentionCase(
            "cache, off the vector width, own scale",
            HeadLayout(queryHeads: 3, keyValueHeads: 1, width: 13, scale: 0.4), cached),
        AttentionCase(
            "queries without keys", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 16),
            AttentionSegments(
                queryOffsets: [0, 7, 9], keyStarts: [0, 3], keyCounts: [3, 9], isCausal: true)),
        AttentionCase(
            "cross-attention, one query a picture", HeadLayout(queryHeads: 4, keyValueHeads: 4, width: 12),
            AttentionSegments(
                queryOffsets: [0, 1, 2], keyStarts: [0, 50], keyCounts: [50, 49], isCausal: false)),
        AttentionCase(
            "decoding, one query a sequence", HeadLayout(queryHeads: 8, keyValueHeads: 2, width: 64),
            AttentionSegments(
                queryOffsets: [0, 1, 2, 3, 4, 5], keyStarts: [64, 65, 82, 382, 0],
                keyCounts: [1, 17, 300, 1025, 64], isCausal: true)),
        AttentionCase(
            "decoding, groups of three", HeadLayout(queryHeads: 9, keyValueHeads: 3, width: 64),
            AttentionSegments(
                queryOffsets: [0, 1, 2, 3, 4], keyStarts: [0, 1, 130, 420], keyCounts: [1, 129, 290, 31], isCausal: true
            )),
        AttentionCase(
            "few queries in groups of five, window", HeadLayout(queryHeads: 5, keyValueHeads: 1, width: 96),
            within(
                130,
                AttentionSegments(
                    queryOffsets: [0, 4, 7, 8], keyStarts: [0, 300, 341], keyCounts: [300, 41, 131], isCausal: true))),
        AttentionCase(
            "wide heads", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 128),
            AttentionSegments(offsets: [0, 33, 80], isCausal: true)),
        AttentionCase(
            "very wide heads", HeadLayout(queryHeads: 1, keyValueHeads: 1, width: 256),
            AttentionSegments(offsets: [0, 9, 20], isCausal: false)),
        AttentionCase(
            "long causal", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 64),
            AttentionSegments(offsets: [0, 301, 317], isCausal: true)),
        AttentionCase(
            "long behind others", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 40),
            AttentionSegments(queryOffsets: [0, 290], keyStarts: [0], keyCounts: [339], isCausal: true)),
        AttentionCase(
            "long bidirectional", HeadLayout(queryHeads: 2, keyValueHeads: 2, width: 72),
            AttentionSegments(offsets: [0, 260], isCausal: false)),
        AttentionCase(
            "heads wider than the packed rows' usual distance", HeadLayout(queryHeads: 2, keyValueHeads: 1, width: 160),
            AttentionSegments(offsets: [0, 50, 53], isCausal: true)),
    ]
}
