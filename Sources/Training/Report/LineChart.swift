import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Curves as SVG: no script, no font, no network.
struct LineChart {
    /// One curve.
    struct Series {
        var name: String
        var points: [(x: Double, y: Double)]
        var color: String
        var isDashed = false
    }

    let title: String
    let series: [Series]
    var isLogarithmic = false
    /// Whether equal steps to the right are equal factors; ticks then stand at the points.
    var isLogarithmicAcross = false
    /// What grows to the right.
    var across = ""
    private let width = 640.0
    private let height = 260.0
    private let left = 58.0
    private let bottom = 34.0
    private let top = 30.0
    private let right = 12.0

    static let colors = ["#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706", "#0891b2"]

    /// The chart as a file of its own.
    var file: String {
        let style = """
            <style>
            text { font-family: system-ui, sans-serif; } .grid { stroke: #e5e7eb; } .tick { font-size: 11px; fill: #6b7280; }
            .title { font-size: 13px; font-weight: 600; fill: #374151; } .legend { font-size: 12px; } .curve { fill: none; stroke-width: 1.5; }
            </style>
            <rect width="100%" height="100%" fill="#ffffff"/>
            """
        guard let end = svg.firstIndex(of: ">") else { return "" }
        return svg[..<end].replacing(
            "<svg ", with: "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"260\" ")
            + ">\n" + style + svg[svg.index(after: end)...] + "\n"
    }

    var svg: String {
        let points = series.flatMap(\.points).filter(canDraw)
        guard let firstX = points.map(\.x).min(), let lastX = points.map(\.x).max(), points.count > 1 else { return "" }
        let values = points.map { scale($0.y) }
        var low = values.min()!
        var high = values.max()!
        if !isLogarithmic, low > 0, low < 0.5 * high { low = 0 }
        if high - low < 1e-12 { high = low + 1 }
        func place(_ value: Double) -> Double { isLogarithmicAcross ? log2(max(value, 1e-12)) : value }
        func x(_ value: Double) -> Double {
            left + (place(value) - place(firstX)) / max(place(lastX) - place(firstX), 1e-12) * (width - left - right)
        }
        func y(_ value: Double) -> Double { height - bottom - (value - low) / (high - low) * (height - bottom - top) }
        var parts = [
            "<svg viewBox=\"0 0 \(Int(width)) \(Int(height))\" role=\"img\" aria-label=\"\(HTML.escaped(title))\">",
            "<text x=\"\(left)\" y=\"16\" class=\"title\">\(HTML.escaped(title))</text>",
        ]
        for value in levels(low, high) {
            let place = short(y(value))
            parts.append(
                "<line x1=\"\(left)\" x2=\"\(width - right)\" y1=\"\(place)\" y2=\"\(place)\" class=\"grid\"/>"
                    + "<text x=\"\(left - 6)\" y=\"\(short(y(value) + 4))\" class=\"tick\" text-anchor=\"end\">\(label(value))</text>"
            )
        }
        let ticks =
            isLogarithmicAcross
            ? Set(points.map(\.x)).sorted()
            : Set((0...4).map { (firstX + (lastX - firstX) * Double($0) / 4).rounded() }).sorted()
        for at in ticks {
            parts.append(
                "<text x=\"\(short(x(at)))\" y=\"\(height - bottom + 16)\" class=\"tick\" text-anchor=\"\(at == lastX ? "end" : "middle")\">\(Int(at))</text>"
            )
        }
        if !across.isEmpty {
            parts.append(
                "<text x=\"\(width - right)\" y=\"\(height - 4)\" class=\"tick\" text-anchor=\"end\">\(HTML.escaped(across))</text>"
            )
        }
        let named = series.count { !$0.name.isEmpty }
        var index = 0
        for curve in series {
            let path = thinned(curve.points).filter(canDraw).map {
                "\(short(x($0.x))),\(short(y(scale($0.y))))"
            }
            parts.append(
                "<polyline points=\"\(path.joined(separator: " "))\" stroke=\"\(curve.color)\" class=\"curve\"\(curve.isDashed ? " stroke-dasharray=\"4 3\"" : "")/>"
            )
            if curve.name.isEmpty { continue }
            let place = width - right - 120 * Double(named - index)
            index += 1
            parts.append(
                "<text x=\"\(place)\" y=\"16\" fill=\"\(curve.color)\" class=\"legend\">\(HTML.escaped(curve.name))</text>"
            )
        }
        parts.append("</svg>")
        return parts.joined(separator: "\n")
    }

    /// Whether a point has a place; figures of files may be anything.
    private func canDraw(_ point: (x: Double, y: Double)) -> Bool {
        abs(point.x) < 1e15 && abs(point.y) < 1e100 && (!isLogarithmic || point.y > 0)
    }

    /// Where lines lie across: round numbers between two powers, or equal shares.
    private func levels(_ low: Double, _ high: Double) -> [Double] {
        guard isLogarithmic, isLogarithmicAcross else { return (0...4).map { low + (high - low) * Double($0) / 4 } }
        func round(_ steps: [Double]) -> [Double] {
            (Int(low.rounded(.down))...Int(high.rounded(.up))).flatMap { power in
                steps.map { log10($0) + Double(power) }
            }.filter { (low...high).contains($0) }
        }
        let fine = round([1, 2, 5])
        return fine.count > 8 ? round([1]) : fine
    }

    private func scale(_ value: Double) -> Double { isLogarithmic ? log10(value) : value }

    private func label(_ value: Double) -> String {
        let number = isLogarithmic ? pow(10, value) : value
        if number == 0 { return "0" }
        let size = abs(number)
        let digits = size >= 100 ? 0 : size >= 1 ? 2 : size >= 0.1 ? 3 : size >= 0.01 ? 4 : 5
        if size < 1e-3 || size >= 1e7 {
            let exponent = Int(log10(abs(number)).rounded(.down))
            return "\(short(number / pow(10, Double(exponent))))e\(exponent)"
        }
        var power = 1.0
        for _ in 0..<digits { power *= 10 }
        let rounded = (number * power).rounded() / power
        return digits == 0 ? "\(Int(rounded))" : "\(rounded)"
    }

    private func short(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }

    /// At most 600 points, each the mean of its neighbours, so that a report of a long run stays small.
    private func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        let share = max(1, points.count / 600)
        guard share > 1 else { return points }
        return stride(from: 0, to: points.count, by: share).map { start in
            let group = points[start..<min(start + share, points.count)]
            return (
                group.reduce(0) { $0 + $1.x } / Double(group.count), group.reduce(0) { $0 + $1.y } / Double(group.count)
            )
        }
    }
}
