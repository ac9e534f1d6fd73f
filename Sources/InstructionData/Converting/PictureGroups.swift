import Basics

/// Exchanges about one picture that follow each other, gathered into one record.
final class PictureGroups {
    private let request: ConversionRequest
    private let sink: ConversionSink
    private let entries: JSONEntries
    private var pending: (record: ConvertedRecord, position: Int)?

    init(_ request: ConversionRequest, _ sink: ConversionSink, _ entries: JSONEntries) {
        self.request = request
        self.sink = sink
        self.entries = entries
    }

    /// Adds an exchange about pictures.
    func add(_ exchange: Exchange, images: [ImageReference], id: String, at position: Int) throws {
        if !request.oneQuestion, !images.isEmpty, pending?.record.images == images {
            pending?.record.exchanges.append(exchange)
            return
        }
        try finish()
        pending = (ConvertedRecord(id: id, images: images, exchanges: [exchange]), position)
    }

    /// Emits what is gathered; called after the last.
    func finish() throws {
        guard let ready = pending else { return }
        pending = nil
        try sink.emit(ready.record, path: entries.path, line: entries.line(at: ready.position))
    }
}
