import Basics

/// The frame of a report: one file with its own style, which opens without a network.
enum ReportPage {
    /// The rows of a `.jsonl` file; none when it isn't there.
    static func lines(_ path: String) throws -> [JSON] {
        guard Files.exists(path) else { return [] }
        return try Files.readText(path, limit: .max).split(separator: "\n").map {
            try JSON.parse(String($0), source: path)
        }
    }

    /// A number with so many decimal places, a dash for none.
    static func number(_ value: JSON?, _ places: Int) -> String {
        guard let value = value?.double else { return "–" }
        var power = 1.0
        for _ in 0..<places { power *= 10 }
        let rounded = (value * power).rounded() / power
        return places == 0 ? Int(exactly: rounded).map { "\($0)" } ?? "\(rounded)" : "\(rounded)"
    }

    /// A whole page.
    static func html(title: String, body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(HTML.escaped(title))</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #1f2937; }
        h1 { margin-bottom: 0; } h2 { margin-top: 2rem; border-bottom: 1px solid #e5e7eb; }
        table { border-collapse: collapse; } th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #e5e7eb; } td { white-space: nowrap; }
        th:first-child, td:first-child { text-align: left; } .wide { overflow-x: auto; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 1rem; }
        figure { margin: 0; max-width: 640px; } svg { width: 100%; height: auto; } .grid { stroke: #e5e7eb; } .tick { font-size: 11px; fill: #6b7280; }
        .title { font-size: 13px; font-weight: 600; fill: #374151; } .legend { font-size: 12px; } .curve { fill: none; stroke-width: 1.5; }
        .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .8rem; }
        .card { border: 1px solid #e5e7eb; border-radius: 6px; padding: .5rem; } .card.right { border-color: #059669; } .card.wrong { border-color: #dc2626; }
        .card img { width: 100%; image-rendering: pixelated; } .card p { margin: .2rem 0; } .question { color: #6b7280; font-size: 13px; }
        .answer { font-weight: 600; } .reference { color: #059669; font-size: 13px; } pre { background: #f9fafb; padding: 1rem; overflow-x: auto; }
        </style></head><body>
        \(body)
        </body></html>

        """
    }
}
