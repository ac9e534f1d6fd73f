public import Basics

/// A fault of a checkpoint's files, with the file and the tensor concerned.
public struct CheckpointError: Problem, Equatable {
    /// Kinds of faults, for callers and tests that tell them apart.
    public enum Fault: String, Sendable {
        /// The file is too short for what it announces.
        case truncated
        /// The header's length is impossible.
        case headerLength
        /// The header is not the JSON that the format asks for.
        case header
        /// An element type that is unknown, or not of use here.
        case element
        /// A shape that is malformed, too large, or contradicts the data.
        case shape
        /// Byte ranges that overlap, leave gaps or leave the file.
        case range
        /// A tensor that is not there.
        case missingTensor
        /// A file of a sharded checkpoint that is not there.
        case missingShard
        /// An index that is malformed or contradicts the files.
        case index
        /// No checkpoint in the folder.
        case noCheckpoint
        /// A PyTorch pickle.
        case pickle
        /// Some other kind of file.
        case foreignFile
        /// NaN or infinity among the weights.
        case notFinite
        /// The checkpoint and the model differ.
        case mismatch
    }

    /// The kind of fault.
    public let fault: Fault
    /// The file or folder.
    public let path: String
    /// The tensor, when one is at fault.
    public let tensor: String?
    /// What is wrong.
    public let reason: String
    /// What the user can do about it.
    public let fix: String?

    /// An error about a file, or about one tensor of it.
    public init(_ fault: Fault, _ path: String, tensor: String? = nil, _ reason: String, fix: String? = nil) {
        self.fault = fault
        self.path = path
        self.tensor = tensor
        self.reason = reason
        self.fix = fix
    }

    /// A number among the weights that is none: `place` says where, `form` in which form it was looked at.
    static func notFinite(_ path: String, _ tensor: String, _ place: String, _ form: String = "") -> CheckpointError {
        CheckpointError(
            .notFinite, path, tensor: tensor, "\(place) is not a finite number\(form)",
            fix: "the weights were damaged or saved from a run that diverged: use an earlier checkpoint")
    }

    /// `path: tensor "name": reason`.
    public var problem: String {
        "\(path): " + (tensor.map { "tensor \"\(Self.shortened($0))\": " } ?? "") + reason
    }

    /// A name cut to a length that fits a message.
    static func shortened(_ name: String) -> String {
        name.count > 120 ? name.prefix(117) + "…" : name
    }

    /// The advice for files that arrived incomplete.
    static let copyAgain = "the file seems cut short or damaged: copy or download it again"
}
