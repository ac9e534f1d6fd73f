public import Basics
import Imaging
import Tokenization

/// Records as a page: pictures, the rendered prompt with its loss mask in colour, token counts, templates and sources.
///
/// One file without script or network: pictures are in it, scaled down.
public struct DatasetPreview: Sendable {
    /// How records are shown.
    public var settings: PreviewSettings

    /// A preview.
    public init(_ settings: PreviewSettings) { self.settings = settings }

    /// The page.
    ///
    /// - Parameter statistics: numbers of the whole data set, drawn above the records.
    /// - Throws: a `Problem` when a record cannot be read at all; broken ones are shown as such.
    public func html(
        of dataset: InstructionDataset, statistics: DatasetStatistics? = nil, workers: Int = Parallel.processors
    ) throws -> String {
        let count = min(max(0, settings.count), dataset.count)
        let selection = settings.seed == nil ? Selection.first(.count(count)) : .random(.count(count))
        let positions = selection.positions(of: dataset.count, seed: settings.seed ?? 0, stream: 0).map { Int($0) }
        let store = ImageStore()
        let cards = try Parallel.map(positions, workers: workers) { card(dataset, $0, store) }
        let name = Paths.name(dataset.path)
        var body = "<h1>\(HTML.escaped(name))</h1>\n"
        let drawn = settings.seed.map { "\(count) drawn with seed \($0)" } ?? "the first \(count)"
        body +=
            "<p class=\"meta\">\(dataset.count.counted("record")), \(drawn). Template \(HTML.escaped(settings.template.name))."
        body += " <span class=\"loss\">carries loss</span> <span class=\"picture\">picture</span>"
        body += " <span class=\"special\">special token</span></p>\n"
        if let statistics { body += Self.charts(statistics) }
        return PreviewPage.html(title: name, body: body + cards.joined(separator: "\n"))
    }

    private static func charts(_ statistics: DatasetStatistics) -> String {
        let figures = DatasetStatistics.Quantity.allCases.compactMap { quantity -> String? in
            guard let counts = statistics.counts[quantity], counts.count > 1 else { return nil }
            return "<figure>\(Histogram(title: quantity.rawValue, counts: counts).svg)</figure>"
        }
        let sources = statistics.sources.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(20)
        let rows = sources.map { "<tr><td>\(HTML.escaped($0.key))</td><td>\($0.value)</td></tr>" }.joined()
        let table = rows.isEmpty ? "" : "<table><tr><th>source</th><th>records</th></tr>\(rows)</table>\n"
        return "<div class=\"charts\">\(figures.joined(separator: "\n"))</div>\n\(table)"
    }

    private func card(_ dataset: InstructionDataset, _ position: Int, _ store: ImageStore) -> String {
        let line = dataset.line(at: position)
        let record: InstructionRecord
        do { record = try dataset.record(at: position) } catch {
            let reason = (error as? RecordError)?.reason ?? "\(error)"
            return "<article><header>line \(line)</header><p class=\"fault\">\(HTML.escaped(reason))</p></article>"
        }
        let text = PreviewText(
            record.conversation, imageCount: record.images.count, images: { try tokens(of: record.images, store) },
            settings)
        var facts = ["<b>\(HTML.escaped(record.id))</b>", "line \(line)"]
        if let tokens = text.tokens, let supervised = text.supervised {
            facts.append("\(tokens.counted("token")), \(supervised) carry loss")
        }
        if let source = record.metadata["source"]?.string { facts.append("from \(HTML.escaped(source))") }
        for key in ["strategy", "model"] {
            let value = record.metadata["generated"]?[key]?.string ?? record.metadata[key]?.string
            if let value { facts.append("\(key) \(HTML.escaped(value))") }
        }
        let names = record.metadata["templates"]?.array?.map { $0.string ?? "as it was" } ?? []
        if !names.isEmpty { facts.append("templates " + HTML.escaped(names.joined(separator: ", "))) }
        var html = "<article><header>\(facts.joined(separator: " · "))</header><div class=\"row\">"
        if !record.images.isEmpty {
            html += "<div class=\"pictures\">\(record.images.map { picture($0, store) }.joined())</div>"
        }
        if let fault = text.fault { html += "<p class=\"fault\">\(HTML.escaped(fault))</p>" }
        return html + "<div class=\"text\">\(text.html)</div></div></article>"
    }

    /// The tokens of a record's pictures, which follow from their sizes where a model cuts pictures into tiles.
    private func tokens(of images: [ImageReference], _ store: ImageStore) throws -> [ImageTokens]? {
        guard let tokens = settings.imageTokens else { return nil }
        return try images.enumerated().map { index, image in
            try tokens(
                { try store.withBytes(of: image) { try ImageProcessor.pictureSize($0, source: image.description) } },
                index, images.count)
        }
    }

    private func picture(_ image: ImageReference, _ store: ImageStore) -> String {
        let name = HTML.escaped(image.description)
        do {
            let (bytes, type, size) = try store.withBytes(of: image) { bytes in
                try thumbnail(bytes, image.description)
            }
            return "<figure><img src=\"data:image/\(type);base64,\(HTML.base64(bytes))\" alt=\"\(name)\">"
                + "<figcaption>\(name)<br>\(size)</figcaption></figure>"
        } catch {
            let reason = SampleSource.words(of: error).problem
            return "<figure><p class=\"fault\">\(HTML.escaped(reason))</p><figcaption>\(name)</figcaption></figure>"
        }
    }

    private func thumbnail(
        _ bytes: UnsafeRawBufferPointer, _ name: String
    ) throws -> (bytes: [UInt8], type: String, size: String) {
        let header = try ImageHeader(bytes: bytes, source: name)
        let size = "\(header.size.width)×\(header.size.height)"
        let decoded = try ImageDecoder.decode(bytes, source: name)
        let longest = max(decoded.width, decoded.height)
        if longest <= settings.pictureSide, bytes.count < 1 << 18 {
            return (Array(bytes), header.format == .png ? "png" : "jpeg", size)
        }
        let scale = min(1, Double(settings.pictureSide) / Double(longest))
        let target = PixelSize(
            width: max(1, Int(Double(decoded.width) * scale)), height: max(1, Int(Double(decoded.height) * scale)))
        return (try decoded.resized(to: target, filter: .bicubic).encodedJPEG(quality: 85), "jpeg", size)
    }
}
