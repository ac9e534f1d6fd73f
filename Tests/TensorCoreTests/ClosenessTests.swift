import TestSupport
import Testing

/// The comparison that the other tests rest on notices what it should.
@Suite struct ClosenessTests {
    @Test(arguments: [
        ([Float(1), 2], [Float(1), 2.1], Tolerance.absolute(0.05)), ([1, 2], [1, 2.1], .ofScale(0.01)),
        ([1, .nan], [1, 2], .absolute(10)), ([1, 2], [1, .nan], .absolute(10)), ([1, .infinity], [1, 2], .ofScale(1)),
        ([0], [-0.0], .exact), ([1], [1.0000001], .exact), ([1], [1, 2], .absolute(1)),
        ([1e-3, 0], [0, 0], .ofScale(1)),
    ])
    func differencesAreReported(_ actual: [Float], _ expected: [Float], _ tolerance: Tolerance) {
        withKnownIssue { expectClose(actual, expected, tolerance) }
    }

    @Test(arguments: [
        ([Float(1), 2], [Float(1), 2.04], Tolerance.absolute(0.05)), ([0.01, 2], [0.02, 2], .ofScale(0.01)),
        ([Float.nan, -Float.infinity], [Float.nan, -Float.infinity], .exact), ([], [], .exact),
        ([0], [-0.0], .absolute(0)),
    ])
    func closeValuesPass(_ actual: [Float], _ expected: [Float], _ tolerance: Tolerance) {
        expectClose(actual, expected, tolerance)
    }
}
