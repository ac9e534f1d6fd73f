public import Basics

/// Why a picture cannot be read, written or processed; names the file and what is wrong with it.
public struct ImageError: Problem, Equatable {
    /// What a caller may want to tell apart.
    public enum Kind: String, Sendable {
        /// Neither a PNG nor a JPEG file.
        case unknownFormat
        /// Damaged, truncated or of a kind that is not supported.
        case corrupt
        /// Larger than the limits allow.
        case overLimit
        /// The memory for it cannot be had.
        case outOfMemory
        /// A processor or an encoder was asked for something that it cannot do with this picture.
        case unsuitable
    }

    /// What a caller may want to tell apart.
    public let kind: Kind
    /// The file or other origin of the picture.
    public let source: String
    /// What is wrong, as the end of a sentence that begins with `source`.
    public let detail: String
    /// What the user can do about it.
    public let fix: String?

    /// An error about `source`.
    public init(_ kind: Kind, source: String, detail: String, fix: String? = nil) {
        self.kind = kind
        self.source = source
        self.detail = detail
        self.fix = fix
    }

    /// What is wrong and where.
    public var problem: String {
        switch kind {
        case .unknownFormat: "\(source) is neither a PNG nor a JPEG file: \(detail)"
        case .corrupt: "\(source) is damaged: \(detail)"
        case .overLimit: "\(source) is too large: \(detail)"
        case .outOfMemory: "\(source) does not fit into memory: \(detail)"
        case .unsuitable: "\(source): \(detail)"
        }
    }
}
