import Basics
import Checkpointing
import NeuralNetwork
package import TensorCore

/// How the matrices of a model that only answers are kept.
public enum WeightStorage: String, Sendable, CaseIterable {
    /// Two bytes a weight.
    case bfloat16
    /// 8.06 to 8.25 bits a weight: blocks with one scale of as many as fit into rows of 256, 192, 128 or 64 weights.
    case q8
    /// 4.5 bits a weight: blocks of 32 with one scale (GGML's Q4_0). Embedding and head have the form of `q8`, since their rounding shows most.
    case q4

    /// The forms of matrices: a row takes the first whose blocks fill it.
    var forms: [DType] {
        switch self {
        case .bfloat16: [.bfloat16]
        case .q8: DType.int8Blocks
        case .q4: [.int4Blocks]
        }
    }

    /// Weights that share a scale, by the bits of each: the lengths that a row may have, of which its bytes tell the one.
    private static let blockLengths: JSON = ["8": lengths(of: DType.int8Blocks), "4": lengths(of: [.int4Blocks])]

    private static func lengths(of forms: [DType]) -> JSON { .array(forms.map { .integer(Int64($0.blockLength)) }) }

    /// What `config.json` says of weights in blocks, as `quantization_config`.
    var json: JSON {
        ["quant_method": "vitrail", "format": .string(rawValue), "block_lengths": Self.blockLengths]
    }

    /// Whether this version has blocks of all the lengths that a folder may have: a list of them, or the only one.
    private static func has(_ lengths: JSON?) -> Bool {
        ["8", "4"].allSatisfy { bits in
            guard let asked = lengths?[bits], let known = blockLengths[bits]?.array else { return false }
            return (asked.array ?? [asked]).allSatisfy(known.contains)
        }
    }

    /// How the weights of a model folder are kept; nil for plain numbers.
    ///
    /// - Throws: an error for a form that is not this project's.
    public static func ofFolder(_ folder: String) throws -> WeightStorage? {
        let path = Paths.join(folder, "config.json")
        guard Files.exists(path), let note = try JSON.read(path)["quantization_config"], note != .null else {
            return nil
        }
        let method = note["quant_method"]?.string ?? "?"
        guard method == "vitrail", let format = note["format"]?.string, let form = WeightStorage(rawValue: format)
        else {
            throw UserError(
                "\(path): weights quantised by \(method) are not supported",
                fix: "take the model's plain weights, and pass --quantize q8 or q4")
        }
        guard has(note["block_lengths"]) else {
            throw UserError(
                "\(path): the weights are in blocks of another length than this version's",
                fix: "export the model that they were made of once more, with --quantize \(format)")
        }
        return form
    }
}

extension VisionLanguageModel {
    /// Keeps the weights in another form, for inference: the decoder's matrices as asked, those of tower and projector in `vision`.
    ///
    /// Tower and projector multiply hundreds of rows by each weight, where reading the weights costs little; the decoder reads all
    /// of its weights for every token. Blocks pay there only where products of many rows are taken in integers.
    public func store(_ form: WeightStorage, vision: WeightStorage = .bfloat16) {
        arrange(form, vision) { tree, dtype, accepts in tree.convert(to: dtype, where: accepts) }
    }

    /// Before weights are loaded or drawn: gives them the memory that `store` would, so that they never exist whole in a wider form.
    func reserve(_ form: WeightStorage, vision: WeightStorage = .bfloat16) {
        arrange(form, vision) { tree, dtype, accepts in tree.reserve(dtype, where: accepts) }
    }

    private func arrange(
        _ form: WeightStorage, _ vision: WeightStorage,
        _ place: (ParameterTree, DType, _ accepts: (ParameterTree.Entry) -> Bool) -> Void
    ) {
        let tree = parameters
        if form != .bfloat16 {
            let language = tree.filter { $0.path.hasPrefix("language.") }
            let ends = ["language.embedding", "language.head"]
            func isEnd(_ entry: ParameterTree.Entry) -> Bool { ends.contains { entry.path.hasPrefix($0) } }
            for blocks in WeightStorage.q8.forms { place(language.filter(isEnd), blocks, Self.isPlainMatrix) }
            for blocks in form.forms { place(language, blocks) { Self.isPlainMatrix($0) && !isEnd($0) } }
        }
        if vision != .bfloat16 {
            // Patches come with all that the picture holds; what later maps read has been normed.
            for blocks in vision.forms {
                place(tree.filter { !$0.path.hasPrefix("language.") }, blocks) {
                    Self.isPlainMatrix($0) && !$0.path.hasPrefix("vision.patchEmbedding.")
                }
            }
        }
        // What is left has rows that are no whole blocks, or was asked for so.
        place(tree, .bfloat16, Self.isPlainMatrix)
    }

    /// A model of random weights in the form that they are to be kept in; nil keeps them in float32.
    package static func random(
        _ configuration: ModelConfiguration, seed: UInt64, storage: WeightStorage?,
        visionStorage: WeightStorage = .bfloat16, on backend: any Backend
    ) -> VisionLanguageModel {
        let initializer = Initializer(fillingLaterOn: backend, seed: seed)
        let model = VisionLanguageModel(configuration, initializer)
        if let storage { model.reserve(storage, vision: visionStorage) }
        initializer.fill()
        return model
    }

    /// A source makes its own weights. What does not decay is added, not multiplied: positions and class tokens stay in float32.
    private static func isPlainMatrix(_ entry: ParameterTree.Entry) -> Bool {
        entry.parameter.shape.rank == 2 && entry.parameter.decays && entry.parameter.source == nil
            && entry.parameter.value.dtype == .float32
    }

    /// Bytes of the decoder's weights that every new token reads.
    public var bytesPerToken: Int {
        parameters.entries.reduce(0) { sum, entry in
            let isRead =
                entry.path.hasPrefix("language.")
                && (entry.path != "language.embedding" || configuration.language.tiesWordEmbeddings)
            guard isRead, entry.parameter.source == nil else { return sum }
            return sum + entry.parameter.value.dtype.byteCount(of: entry.parameter.count)
        }
    }
}
