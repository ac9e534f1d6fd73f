public import Testing

/// How far a result may be from what is expected.
public enum Tolerance: Sendable {
    /// Every element within this distance.
    case absolute(Double)
    /// Every element within this share of the largest expected magnitude: float32 sums err in proportion to their terms,
    /// not to what is left after they cancel.
    case ofScale(Double)
    /// The same bits (NaN equals NaN).
    case exact

    /// Float32 forward passes: sums of a few hundred terms err by some 1e-6 of the scale.
    public static let forward = Tolerance.ofScale(1e-5)
    /// Float32 gradients: two or three such sums in a row.
    public static let gradient = Tolerance.ofScale(3e-5)
}

/// Records an issue that names the worst element when `actual` is not `expected` within `tolerance`.
public func expectClose(
    _ actual: [Float], _ expected: [Float], _ tolerance: Tolerance, _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard actual.count == expected.count else {
        Issue.record("\(what): \(actual.count) elements, expected \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    let scale = expected.lazy.filter(\.isFinite).map { Double($0.magnitude) }.max() ?? 0
    let allowed: Double =
        switch tolerance {
        case .absolute(let distance): distance
        case .ofScale(let share): share * scale
        case .exact: 0
        }
    func difference(_ a: Float, _ b: Float) -> Double {
        if case .exact = tolerance, a == b, a.bitPattern != b.bitPattern { return .infinity }  // 0 and −0
        return distance(a, b)
    }
    var worst = 0
    var worstDistance = -1.0
    for index in actual.indices {
        let distance = difference(actual[index], expected[index])
        if distance > worstDistance { (worst, worstDistance) = (index, distance) }
    }
    guard worstDistance > allowed else { return }
    let wrong = actual.indices.filter { difference(actual[$0], expected[$0]) > allowed }.count
    Issue.record(
        """
        \(what): \(wrong) of \(actual.count) elements are too far off; worst at [\(worst)]: \(actual[worst]), \
        expected \(expected[worst]), off by \(worstDistance), allowed \(allowed) (scale \(scale))
        """, sourceLocation: sourceLocation)
}

/// |a − b|; 0 for equal infinities or two NaN, infinite when only one is finite.
private func distance(_ a: Float, _ b: Float) -> Double {
    if a == b || (a.isNaN && b.isNaN) { return 0 }
    let distance = (Double(a) - Double(b)).magnitude
    return distance.isNaN ? .infinity : distance
}
