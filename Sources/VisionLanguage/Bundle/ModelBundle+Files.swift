import Basics
public import Checkpointing
import Imaging
import NeuralNetwork
public import TensorCore
import Tokenization

extension ModelBundle {
    /// Opens a model folder.
    ///
    /// - Throws: an error naming what is missing, does not fit, or is not supported.
    public static func open(_ folder: String, on backend: any Backend) throws -> ModelBundle {
        let family = try ModelFamily.read(folder)
        let model = VisionLanguageModel(family.configuration, Initializer(backend: backend, fills: false))
        try model.parameters.load(from: TensorFolder(folder), table: family.table)
        return try unfilled(folder, family, model: model, tokenizer: Tokenizer(folder: folder))
    }

    /// The folder's bundle around a model whose weights are someone else's concern.
    static func unfilled(
        _ folder: String, _ family: ModelFamily, model: VisionLanguageModel, tokenizer: Tokenizer
    ) throws -> ModelBundle {
        let own = Paths.join(folder, "vitrail.json")
        let settings = Files.exists(own) ? try JSON.read(own) : .null
        let template = settings["template"]?.string.flatMap { ChatTemplateName(rawValue: $0) }
        let processorPath = Paths.join(folder, "preprocessor_config.json")
        let processor =
            Files.exists(processorPath)
            ? try ImageProcessor(configuration: JSON.read(processorPath), source: processorPath) : nil
        let bundle = ModelBundle(
            model: model, tokenizer: tokenizer, processor: family.configuration.vision == nil ? nil : processor,
            template: template, imageTokenID: family.imageTokenID ?? Int32(tokenizer.vocabularySize),
            sideFiles: try sideFiles(folder))
        try bundle.check(folder)
        return bundle
    }

    /// Writes the model as a folder that `transformers` opens where it knows the combination.
    ///
    /// - Parameters:
    ///   - element: type of the written weights; nil keeps that of each.
    ///   - storage: what `VisionLanguageModel.store` made of the weights, to be written in blocks; only this project reads them.
    ///   - shardLimit: largest file in bytes.
    public func write(
        to folder: String, element: TensorElement? = nil, storage: WeightStorage? = nil,
        shardLimit: Int = CheckpointWriter.defaultShardLimit
    ) throws {
        try Files.createDirectory(folder)
        try model.parameters.save(
            to: folder, table: ModelFamily.table(model.configuration), element: element,
            keepsBlocks: storage != nil, shardLimit: shardLimit)
        var json = ModelFamily.json(
            model.configuration, imageTokenID: imageTokenID, imageTokens: imageTokenCount,
            dtype: element?.torchName ?? (storage == nil ? "float32" : "bfloat16"))
        if let storage, var object = json.object {
            object["quantization_config"] = storage.json
            json = .object(object)
        }
        for (name, bytes) in sideFiles { try Files.write(bytes, to: Paths.join(folder, name)) }
        if let processor, model.configuration.vision != nil {
            try Files.write(
                processor.configuration.serialized(pretty: true) + "\n",
                to: Paths.join(folder, "preprocessor_config.json"))
        }
        var generation = JSONObject()
        if let bos = tokenizer.bosID { generation["bos_token_id"] = .integer(Int64(bos)) }
        if let eos = tokenizer.eosID { generation["eos_token_id"] = .integer(Int64(eos)) }
        generation["do_sample"] = false
        try Files.write(
            JSON.object(generation).serialized(pretty: true) + "\n", to: Paths.join(folder, "generation_config.json"))
        var own: JSONObject = ["format": 1]
        if let template { own["template"] = .string(template.rawValue) }
        try Files.write(JSON.object(own).serialized(pretty: true) + "\n", to: Paths.join(folder, "vitrail.json"))
        try Files.write(json.serialized(pretty: true) + "\n", to: Paths.join(folder, "config.json"))
    }

    private static let sideNames = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model", "chat_template.jinja",
        "processor_config.json",
    ]

    /// The tokenizer's files of a folder, to be written again with the model.
    static func sideFiles(_ folder: String) throws -> [(name: String, bytes: [UInt8])] {
        try sideNames.compactMap { name in
            let path = Paths.join(folder, name)
            return Files.exists(path) ? (name, try Files.read(path)) : nil
        }
    }

    /// Model, tokenizer and processor fit each other.
    func check(_ source: String) throws {
        let rows = model.configuration.language.vocabularySize
        guard tokenizer.vocabularySize <= rows else {
            throw UserError(
                "\(source): the tokenizer has \(tokenizer.vocabularySize) tokens, the embedding \(rows) rows",
                fix: "use the tokenizer that the model was trained with")
        }
        guard let vision = model.configuration.vision else { return }
        guard processor != nil else {
            throw UserError(
                "\(source): preprocessor_config.json is missing, so how pictures are cut and normalised is not known",
                fix: "copy the file from the model's publisher")
        }
        guard pictureHeight > 0, pictureHeight % vision.patchSize == 0, pictureWidth % vision.patchSize == 0 else {
            throw UserError(
                "\(source): pictures of \(pictureWidth)×\(pictureHeight) do not divide into patches of \(vision.patchSize)",
                fix: "correct preprocessor_config.json")
        }
    }
}
