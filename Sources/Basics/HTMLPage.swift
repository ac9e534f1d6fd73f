extension HTML {
    /// A whole page that opens without a network, light or dark as its reader has it.
    ///
    /// - Parameters:
    ///   - style: rules of this page; colours are variables, so that they follow from light to dark.
    ///   - body: what stands on it, as HTML.
    package static func page(title: String, style: String, body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(escaped(title))</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>
        \(commonStyle)
        \(style)
        </style></head><body>
        \(body)
        </body></html>

        """
    }

    private static let commonStyle = """
        :root { color-scheme: light dark; --page: #fff; --text: #1f2937; --muted: #6b7280; --line: #e5e7eb; --panel: #f9fafb;
          --good: #059669; --bad: #dc2626; --accent: #2563eb; --loss: #d1fae5; --picture: #dbeafe; }
        @media (prefers-color-scheme: dark) { :root { --page: #111827; --text: #e5e7eb; --muted: #9ca3af; --line: #374151;
          --panel: #1f2937; --good: #34d399; --bad: #f87171; --accent: #60a5fa; --loss: #065f46; --picture: #1e3a8a; } }
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem;
          background: var(--page); color: var(--text); overflow-wrap: anywhere; }
        table { border-collapse: collapse; } th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(var(--chart, 300px), 100%), 1fr)); gap: 1rem; }
        figure { margin: 0; } svg { width: 100%; height: auto; }
        .title { font-size: 13px; font-weight: 600; fill: var(--text); } .tick { font-size: 11px; fill: var(--muted); }
        """
}
