import Basics

/// The frame of a preview.
enum PreviewPage {
    static func html(title: String, body: String) -> String {
        """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(HTML.escaped(title))</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <style>
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #1f2937; }
        h1 { margin-bottom: .3rem; } .meta { color: #6b7280; }
        .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 1rem; }
        .charts figure { margin: 0; } .charts rect { fill: #2563eb; } .charts line { stroke: #9ca3af; }
        .title { font-size: 13px; font-weight: 600; fill: #374151; } .tick { font-size: 11px; fill: #6b7280; }
        table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #e5e7eb; }
        article { border: 1px solid #e5e7eb; border-radius: 8px; margin: 1rem 0; padding: .7rem 1rem; }
        article header { color: #6b7280; font-size: 13px; margin-bottom: .5rem; overflow-wrap: anywhere; }
        .row { display: flex; gap: 1rem; flex-wrap: wrap; } .pictures { flex: 0 1 auto; display: flex; gap: .6rem; flex-wrap: wrap; }
        .pictures figure { margin: 0; max-width: 240px; } .pictures img { min-width: 96px; max-width: 100%; border-radius: 4px; }
        figcaption { font-size: 11px; color: #9ca3af; overflow-wrap: anywhere; } .text { flex: 1 1 320px; overflow-wrap: anywhere; white-space: pre-wrap; }
        .loss { background: #d1fae5; } .token { border-right: 1px solid #00000018; } .token:hover { outline: 1px solid #2563eb; }
        .picture { background: #dbeafe; border-radius: 4px; padding: 0 .3rem; } .special { border: 1px solid #9ca3af; border-radius: 4px; padding: 0 .2rem; font-size: 12px; color: #6b7280; }
        .fault { color: #b91c1c; }
        @media (prefers-color-scheme: dark) { body { background: #111827; color: #e5e7eb; } .loss { background: #065f46; } .picture { background: #1e3a8a; } article { border-color: #374151; } .title { fill: #e5e7eb; } }
        </style></head><body>
        \(body)
        </body></html>

        """
    }
}
