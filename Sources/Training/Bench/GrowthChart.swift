import Basics

/// Measured growth as SVG files: the step beside its floor, for each precision.
public struct GrowthChart {
    private let points: [GrowthBenchmark.Point]
    private let axis: GrowthBenchmark.Axis

    /// A chart of the points along one axis.
    public init(_ points: [GrowthBenchmark.Point], along axis: GrowthBenchmark.Axis) {
        self.points = points.filter { $0.axis == axis }
        self.axis = axis
    }

    /// A file of its own.
    public var svg: String {
        var series: [LineChart.Series] = []
        var precisions: [String] = []
        for point in points where !precisions.contains(point.precision) { precisions.append(point.precision) }
        for (index, precision) in precisions.enumerated() {
            let own = points.filter { $0.precision == precision }
            let color = LineChart.colors[index]
            series.append(
                .init(name: precision, points: own.map { (Double($0.size), value($0.stepSeconds, $0)) }, color: color))
            let floor = axis == .threads ? ideal(own) : own.map { (Double($0.size), value($0.floorSeconds, $0)) }
            var second = LineChart.Series(name: "", points: floor, color: color)
            second.isDashed = true
            series.append(second)
        }
        var chart = LineChart(title: title, series: series, isLogarithmic: true)
        chart.isLogarithmicAcross = true
        chart.across = across
        return chart.file
    }

    private func value(_ seconds: Double, _ point: GrowthBenchmark.Point) -> Double {
        switch axis {
        case .batch, .threads: Double(point.tokens) / seconds
        case .sequence, .width: seconds * 1e3
        }
    }

    /// One thread's rate times the threads.
    private func ideal(_ points: [GrowthBenchmark.Point]) -> [(x: Double, y: Double)] {
        guard let first = points.first else { return [] }
        let rate = value(first.stepSeconds, first) / Double(first.size)
        return points.map { (Double($0.size), rate * Double($0.size)) }
    }

    private var title: String {
        switch axis {
        case .batch: "Tokens a second (dashed: products)"
        case .threads: "Tokens a second (dashed: in proportion)"
        case .sequence, .width: "Milliseconds a step (dashed: products)"
        }
    }

    private var across: String {
        switch axis {
        case .batch: "conversations a step (128 tokens each)"
        case .sequence: "text tokens of each of 4 conversations"
        case .width: "columns of tower and decoder"
        case .threads: "threads"
        }
    }
}
