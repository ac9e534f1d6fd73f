import Basics
import Tokenization

/// `<image>` in the texts of a source.
///
/// The marker is a picture's place wherever a record is read, so texts that hold it by chance would be refused there, or show
/// a picture in the middle of a sentence about markup. Converters put the markers themselves; those that a source has are
/// settled here, for all of them alike.
extension ConvertedRecord {
    /// Makes the markers as many as the pictures, all of them in questions.
    ///
    /// - The first question may place all pictures itself: `Compare <image> with <image>.` stays.
    /// - At either end of a question about pictures, where LLaVA's and others' files have them, they are taken out, and the
    ///   pictures go before the first question as always.
    /// - Any other is text that nobody meant as a picture: a fault, or taken out when lenient.
    ///
    /// - Returns: what was taken out of texts.
    /// - Throws: `RecordFault` when not lenient.
    mutating func settleMarkers(lenient: Bool) throws(RecordFault) -> [Repair] {
        let marker = Conversation.imageMarker
        func holds(_ text: String) -> Bool { text.count(ofUTF8: marker) > 0 }
        let isTouched = exchanges.contains { exchange in
            holds(exchange.question) || holds(exchange.answer) || exchange.references.contains(where: holds)
                || exchange.fields.contains { $0.value.holds(marker) }
        }
        guard !hasMarkers, isTouched else { return [] }
        var repairs: [Repair] = []
        func settle(_ text: inout String, _ side: String, _ repair: Repair) throws(RecordFault) {
            guard holds(text) else { return }
            guard lenient else {
                throw RecordFault(
                    "\(marker) stands in the text of \(side), which is the place of a picture",
                    fix: "write it otherwise in the source, or pass --lenient to have it taken out")
            }
            text = text.withoutMarkers
            repairs.append(repair)
        }
        let placesAll = !images.isEmpty && exchanges[0].question.count(ofUTF8: marker) == images.count
        for index in exchanges.indices {
            if index > 0 || !placesAll {
                if !images.isEmpty { exchanges[index].question = exchanges[index].question.withoutMarkersAtEnds }
                try settle(&exchanges[index].question, "a question", .removedMarkers)
            }
            try settle(&exchanges[index].answer, "an answer", .removedMarkersFromAnswer)
            if !exchanges[index].hasOnlyAnswer, exchanges[index].references.contains(where: holds) {
                exchanges[index].references = exchanges[index].references.map(\.withoutMarkers)
            }
            for (key, value) in exchanges[index].fields where value.holds(marker) {
                exchanges[index].fields[key] = value.withoutMarkers
            }
        }
        hasMarkers = placesAll
        return repairs
    }
}

extension String {
    /// The text without any marker, nor the line end behind it.
    var withoutMarkers: String {
        let marker = Conversation.imageMarker
        guard count(ofUTF8: marker) > 0 else { return self }
        return replacing(utf8: marker + "\n", with: "").replacing(utf8: marker, with: "").trimmed
    }

    /// The text without markers before its first word and behind its last.
    fileprivate var withoutMarkersAtEnds: String {
        let marker = Conversation.imageMarker
        var text = trimmed
        guard text.hasPrefix(marker) || text.hasSuffix(marker) else { return self }
        while text.hasPrefix(marker) { text = String(text.dropFirst(marker.count)).trimmed }
        while text.hasSuffix(marker) { text = String(text.dropLast(marker.count)).trimmed }
        return text
    }
}

extension JSON {
    /// Whether a text in the value has a marker.
    fileprivate func holds(_ marker: String) -> Bool {
        switch self {
        case .string(let text): text.count(ofUTF8: marker) > 0
        case .array(let members): members.contains { $0.holds(marker) }
        default: false
        }
    }

    /// The value without markers in its texts.
    fileprivate var withoutMarkers: JSON {
        switch self {
        case .string(let text): .string(text.withoutMarkers)
        case .array(let members): .array(members.map(\.withoutMarkers))
        default: self
        }
    }
}
