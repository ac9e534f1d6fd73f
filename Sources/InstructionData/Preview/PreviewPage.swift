import Basics

/// The frame of a preview.
enum PreviewPage {
    static func html(title: String, body: String) -> String { HTML.page(title: title, style: style, body: body) }

    private static let style = """
        h1 { margin-bottom: .3rem; } .meta, article header { color: var(--muted); }
        .charts rect { fill: var(--accent); } .charts line { stroke: var(--muted); }
        table { margin: 1rem 0; } th, td { padding: .2rem .7rem; text-align: left; }
        article { border: 1px solid var(--line); border-radius: 8px; margin: 1rem 0; padding: .7rem 1rem; }
        article header { font-size: 13px; margin-bottom: .5rem; }
        .row { display: flex; gap: 1rem; flex-wrap: wrap; } .pictures { flex: 0 1 auto; display: flex; gap: .6rem; flex-wrap: wrap; }
        .pictures figure { max-width: 240px; } .pictures img { min-width: 96px; max-width: 100%; border-radius: 4px; }
        figcaption { font-size: 11px; color: var(--muted); } .text { flex: 1 1 320px; white-space: pre-wrap; }
        .loss { background: var(--loss); color: var(--text); } .token { border-right: 1px solid #80808030; }
        .token:hover { outline: 1px solid var(--accent); }
        .picture { background: var(--picture); color: var(--text); border-radius: 4px; padding: 0 .3rem; }
        .special { border: 1px solid var(--muted); border-radius: 4px; padding: 0 .2rem; font-size: 12px; color: var(--muted); }
        .fault { color: var(--bad); }
        """
}
