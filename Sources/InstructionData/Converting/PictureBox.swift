import Basics

/// A box in a picture, in pixels from its left and top, none of it outside.
///
/// Annotated boxes stand over the edge a little, by rounding or because a thing does: what is outside is cut off. One of which
/// most lies outside is of another picture or in other units, and a question about it would teach nonsense.
struct PictureBox: Sendable {
    /// Left, top, width and height in pixels.
    let (left, top, width, height): (Double, Double, Double, Double)
    private let picture: PictureSize

    /// Checks a box and cuts off what is outside.
    /// - Parameters:
    ///   - values: left, top, width and height in pixels, as a file has them.
    ///   - owner: what has the box, for messages.
    /// - Throws: `EntryFault` that names the owner.
    init(_ values: [JSON?], in picture: PictureSize, of owner: @autoclosure () -> String) throws(EntryFault) {
        func fault(_ reason: String) -> EntryFault {
            let shown = values.map { $0?.serialized() ?? "nothing" }.joined(separator: ", ")
            return EntryFault(
                "\(owner()): the box [\(shown)] \(reason)", fix: "correct it, or pass --lenient to leave it out")
        }
        let numbers = values.compactMap { $0?.double }
        guard values.count == 4, numbers.count == 4, numbers.allSatisfy({ abs($0) < 1e9 }) else {
            throw fault("is not four numbers: left, top, width and height")
        }
        guard numbers[2] > 0, numbers[3] > 0 else { throw fault("has no area") }
        let across = Self.inside(numbers[0], numbers[2], upTo: picture.width)
        let down = Self.inside(numbers[1], numbers[3], upTo: picture.height)
        guard let across, let down, Self.isMost(across, of: numbers[2], down, of: numbers[3]) else {
            throw fault(
                "lies outside the picture of \(Int(picture.width)) × \(Int(picture.height)) pixels, or most of it")
        }
        (left, width, top, height) = (across.start, across.length, down.start, down.length)
        self.picture = picture
    }

    /// The part of a side that is inside; nil when none is.
    private static func inside(_ start: Double, _ length: Double, upTo end: Double) -> (start: Double, length: Double)?
    {
        let (first, last) = (max(0, start), min(end, start + length))
        return first < last ? (first, last - first) : nil
    }

    /// Whether half of the area is inside, or each side but for a pixel at either end.
    private static func isMost(
        _ across: (start: Double, length: Double), of width: Double,
        _ down: (start: Double, length: Double), of height: Double
    ) -> Bool {
        across.length * down.length >= 0.5 * width * height
            || across.length >= width - 2 && down.length >= height - 2
    }

    /// Pixels in it.
    var area: Double { width * height }

    /// `[x1, y1, x2, y2]` from 0 to 1, three decimals, as LLaVA writes boxes.
    var text: String {
        let corners = [
            left / picture.width, top / picture.height, (left + width) / picture.width, (top + height) / picture.height,
        ]
        return "[" + corners.map { Self.decimals(min(1, max(0, $0))) }.joined(separator: ", ") + "]"
    }

    private static func decimals(_ value: Double) -> String {
        let thousandths = Int((value * 1000).rounded())
        let fraction = String(thousandths % 1000)
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
    }
}

/// A picture's size in pixels, as an annotation file gives it.
struct PictureSize: Sendable {
    let (width, height): (Double, Double)

    /// `width` and `height` of an entry.
    /// - Throws: `EntryFault` when they are not whole numbers above 0.
    init(_ entry: JSONEntry) throws(EntryFault) {
        let (width, height) = (try entry.number("width"), try entry.number("height"))
        guard width > 0, height > 0 else {
            throw EntryFault("a picture has \(width) × \(height) pixels", fix: "correct \"width\" and \"height\"")
        }
        (self.width, self.height) = (Double(width), Double(height))
    }
}
