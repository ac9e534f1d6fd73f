import Basics

/// How often values occur, as bars in SVG.
struct Histogram {
    let title: String
    let counts: [Int: Int]

    /// The picture as a file of its own, with the page's looks.
    var file: String {
        let style =
            "<style>rect{fill:#2563eb}line{stroke:#cbd5e1}text{font:11px system-ui,sans-serif;fill:#64748b}"
            + ".title{font-weight:700;fill:#1e293b}</style>"
        return svg.replacing(utf8: " role=\"img\">", with: " xmlns=\"http://www.w3.org/2000/svg\">" + style) + "\n"
    }

    /// The picture within a page; empty when there is nothing to show.
    var svg: String {
        guard let low = counts.keys.min(), let high = counts.keys.max() else { return "" }
        let bars = min(40, high - low + 1)
        let width = max(1, (high - low + bars) / bars)
        var sums = [Int](repeating: 0, count: (high - low) / width + 1)
        for (value, count) in counts { sums[(value - low) / width] += count }
        let most = max(1, sums.max() ?? 1)
        let (wide, tall) = (420.0, 150.0)
        let step = wide / Double(sums.count)
        var parts = [
            "<svg viewBox=\"0 0 440 200\" role=\"img\"><title>\(HTML.escaped(title))</title>",
            "<text x=\"10\" y=\"16\" class=\"title\">\(HTML.escaped(title))</text>",
        ]
        for (index, sum) in sums.enumerated() where sum > 0 {
            let height = max(1, tall * Double(sum) / Double(most))
            let from = low + index * width
            let range = width == 1 ? "\(from)" : "\(from)–\(from + width - 1)"
            parts.append(
                "<rect x=\"\(Self.short(10 + Double(index) * step))\" y=\"\(Self.short(178 - height))\" "
                    + "width=\"\(Self.short(max(1, step - 1)))\" height=\"\(Self.short(height))\">"
                    + "<title>\(range): \(sum)</title></rect>")
        }
        parts.append("<line x1=\"10\" x2=\"430\" y1=\"178\" y2=\"178\"/>")
        parts.append("<text x=\"10\" y=\"194\" class=\"tick\">\(low)</text>")
        parts.append("<text x=\"430\" y=\"194\" class=\"tick\" text-anchor=\"end\">\(high)</text>")
        parts.append("<text x=\"430\" y=\"16\" class=\"tick\" text-anchor=\"end\">at most \(most)</text></svg>")
        return parts.joined()
    }

    private static func short(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}
