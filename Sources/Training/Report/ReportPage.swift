import Basics

/// The frame of a report: one file with its own style, which opens without a network.
enum ReportPage {
    /// The rows of a run's `.jsonl` file; none when it isn't there.
    static func lines(_ path: String) throws -> [JSON] {
        guard Files.exists(path) else { return [] }
        return try Files.readLines(path, limit: .max, onlyEnded: true).map { line in
            do throws(JSONError) { return try JSON.parse(line.text, line: line.number, of: path) } catch {
                throw UserError(
                    error.problem,
                    fix: "delete this line of the run's file; the report is drawn from the others")
            }
        }
    }

    /// A number with so many decimal places, a dash for none.
    static func number(_ value: JSON?, _ places: Int) -> String {
        guard let value = value?.double else { return "–" }
        var power = 1.0
        for _ in 0..<places { power *= 10 }
        let rounded = (value * power).rounded() / power
        return places == 0 ? Int(exactly: rounded)?.grouped ?? "\(rounded)" : "\(rounded)"
    }

    /// A whole page.
    static func html(title: String, body: String) -> String { HTML.page(title: title, style: style, body: body) }

    private static let style = """
        :root { --chart: 420px; } h1 { margin-bottom: 0; } h2 { margin-top: 2rem; border-bottom: 1px solid var(--line); }
        th, td { text-align: right; overflow-wrap: normal; } td { white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
        .wide { overflow-x: auto; } figure { max-width: 640px; } .grid { stroke: var(--line); }
        .legend { font-size: 12px; } .curve { fill: none; stroke-width: 1.5; }
        .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .8rem; }
        .card { border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
        .card.right { border-color: var(--good); } .card.wrong { border-color: var(--bad); }
        .card img { width: 100%; image-rendering: pixelated; } .card p { margin: .2rem 0; }
        .question { color: var(--muted); font-size: 13px; } .answer { font-weight: 600; }
        .reference { color: var(--good); font-size: 13px; }
        pre { background: var(--panel); padding: 1rem; overflow-x: auto; overflow-wrap: normal; }
        """
}
