import Basics
public import Checkpointing
import Imaging
public import NeuralNetwork
public import TensorCore
import Tokenization

extension ModelBundle {
    /// Opens a model folder.
    ///
    /// - Parameters:
    ///   - tower: the tower's folder, for layouts that leave it out (LLaVA's own).
    ///   - vocabulary: tokens to add, and what the embedding's rows are rounded up to.
    ///   - storage: how the weights are kept when nothing but answers is wanted of the model; nil keeps them in float32.
    ///   - visionStorage: how the matrices of tower and projector are kept then.
    ///   - left: chooses parameters whose weights stay in the file, frozen, until something smaller is made of them.
    ///   - sees: whether pictures will come; without them tower and projector stay in the file, from which they are read if one comes.
    /// - Throws: an error naming what is missing, does not fit, or is not supported.
    public static func open(
        _ folder: String, tower: String? = nil, vocabulary: VocabularyGrowth = VocabularyGrowth(),
        storage: WeightStorage? = nil, visionStorage: WeightStorage = .bfloat16,
        leaving left: ((ParameterTree) -> [Parameter])? = nil, sees: Bool = true, on backend: any Backend
    ) throws -> ModelBundle {
        let family = try ModelFamily.read(folder, tower: tower)
        try family.checkSize(of: TensorFolder(folder), in: folder)
        let model = VisionLanguageModel(family.configuration, Initializer(backend: backend, fills: false))
        let unseen = model.parameters.filter { !sees && !$0.path.hasPrefix("language.") }
        // Rows that are added are means of the others, taken in float32; what lies in blocks stays in them.
        if let storage, !mayGrow(family, vocabulary), try WeightStorage.ofFolder(folder) == nil {
            // A block of their own is never taken while they stay in the file.
            if visionStorage == .bfloat16 {
                unseen.reserve(.bfloat16) { $0.parameter.shape.rank == 2 && $0.parameter.decays }
            }
            model.reserve(storage, vision: visionStorage)
        }
        // One thread's work, beside which all load weights.
        let text = Background { try tokenizer(folder, family, adding: vocabulary.tokens) }
        try fill(
            model, from: folder, family, leaving: left?(model.parameters) ?? [],
            unused: unseen.entries.map(\.parameter))
        let bundle = try unfilled(folder, family, text.wait(), model: model, vocabulary: vocabulary)
        if let storage { model.store(storage, vision: visionStorage) }
        return bundle
    }

    /// A token that LLaVA's original folder lacks needs a row of its own, as do those that were asked for.
    private static func mayGrow(_ family: ModelFamily, _ vocabulary: VocabularyGrowth) -> Bool {
        vocabulary != VocabularyGrowth() || family.towerName != nil
    }

    /// Loads the weights; those of a tower that lies elsewhere from there.
    private static func fill(
        _ model: VisionLanguageModel, from folder: String, _ family: ModelFamily, leaving left: [Parameter],
        unused: [Parameter]
    ) throws {
        let source = try TensorFolder(folder)
        let tree = model.parameters
        let (own, leavesTower) = ownPart(of: tree, in: source, family)
        try own.load(from: source, table: family.table, leaving: left, unused: unused)
        guard leavesTower, let tower = family.towerName, let vision = model.configuration.vision else { return }
        var table = KeyTable.vision(channels: vision.channels, patchSize: vision.patchSize)
        table.ignored.append(IgnoredKey("vision_model.head.**", because: "only the tower is taken"))
        try tree.part("vision").load(from: TensorFolder(tower), table: table, unused: unused)
    }

    /// The parameters that the folder itself holds; LLaVA's own folders may leave the tower out.
    private static func ownPart(
        of tree: ParameterTree, in source: TensorFolder, _ family: ModelFamily
    ) -> (tree: ParameterTree, leavesTower: Bool) {
        let leaves = family.towerName != nil && !source.names.contains { $0.hasPrefix("model.vision_tower.") }
        return (leaves ? tree.filter { !$0.path.hasPrefix("vision.") } : tree, leaves)
    }

    /// Holds names and shapes of a folder's weights against a model, and reads none.
    static func check(_ source: TensorFolder, of model: VisionLanguageModel, _ family: ModelFamily) throws {
        try ownPart(of: model.parameters, in: source, family).tree.check(source, table: family.table)
    }

    /// The folder's tokenizer with the tokens that the family writes for pictures.
    static func tokenizer(_ folder: String, _ family: ModelFamily, adding tokens: [String] = []) throws -> (
        tokenizer: Tokenizer, added: [(token: String, id: Int32)]
    ) {
        var wanted = tokens
        if family.configuration.layout == .nanoVLM {
            wanted += (family.published["vlm_extra_tokens"]?.object ?? [:]).compactMap { $0.value.string }
            let hasFile = ["tokenizer.json", "tokenizer.model"].contains { Files.exists(Paths.join(folder, $0)) }
            guard hasFile else {
                let name = family.published["lm_tokenizer"]?.string ?? "the decoder's hub name"
                throw UserError(
                    "\(folder): no tokenizer.json; nanoVLM takes the one of \(name)",
                    fix: "hf download \(name) tokenizer.json tokenizer_config.json --local-dir \(folder)")
            }
        } else if family.towerName != nil {
            wanted.append(Conversation.imageMarker)
        }
        return try Tokenizer.open(
            folder, adding: wanted, chatTemplate: family.published["lm_chat_template"]?.string)
    }

    /// The folder's bundle around a model whose weights are someone else's concern.
    static func unfilled(
        _ folder: String, _ family: ModelFamily,
        _ text: (tokenizer: Tokenizer, added: [(token: String, id: Int32)]), model: VisionLanguageModel,
        vocabulary: VocabularyGrowth = VocabularyGrowth()
    ) throws -> ModelBundle {
        let (tokenizer, added) = text
        let own = try OwnSettings(folder)
        let bundle = ModelBundle(
            model: model, tokenizer: tokenizer, processor: try processor(folder, family), template: own.template,
            imageTokenID: family.imageTokenID ?? imageToken(family, tokenizer), sideFiles: try sideFiles(folder),
            addedTokens: added, published: family.published, pictureTokens: family.pictures?.tokens ?? [:])
        bundle.captionPrompt = own.captionPrompt
        if mayGrow(family, vocabulary) { bundle.growVocabulary(roundedTo: vocabulary.multiple) }
        try bundle.check(folder)
        return bundle
    }

    private static func imageToken(_ family: ModelFamily, _ tokenizer: Tokenizer) -> Int32 {
        let name = family.pictures?.tokens["image_token"] ?? Conversation.imageMarker
        return tokenizer.id(name) ?? Int32(tokenizer.vocabularySize)
    }

    /// Writes the model as a folder that `transformers` opens where it knows the combination.
    ///
    /// - Parameters:
    ///   - element: type of the written weights; nil keeps that of each.
    ///   - storage: what `VisionLanguageModel.store` made of the weights, to be written in blocks; only this project reads them.
    ///   - shardLimit: largest file in bytes.
    ///   - beforeEach: called before each tensor; what it throws ends the writing.
    public func write(
        to folder: String, element: TensorElement? = nil, storage: WeightStorage? = nil,
        shardLimit: Int = CheckpointWriter.defaultShardLimit, beforeEach: () throws -> Void = {}
    ) throws {
        try Files.createDirectory(folder)
        try model.parameters.save(
            to: folder, table: keyTable, element: element, keepsBlocks: storage != nil,
            constants: ModelFamily.constants(model.configuration), shardLimit: shardLimit,
            beforeEach: beforeEach)
        var processing = processor?.configuration
        var json = ModelFamily.json(
            model.configuration, imageTokenID: imageTokenID, imageTokens: imageTokenCount,
            pinpoints: processing?["image_grid_pinpoints"], published: published,
            dtype: element?.torchName ?? (storage == nil ? "float32" : "bfloat16"))
        if let storage, var object = json.object {
            object["quantization_config"] = storage.json
            json = .object(object)
        }
        for (name, bytes) in try TokenizerFiles.entering(addedTokens, into: sideFiles) {
            try Files.write(bytes, to: Paths.join(folder, name))
        }
        // nanoVLM's processing follows from its configuration, and no class of transformers does the same.
        if model.configuration.vision == nil || model.configuration.layout == .nanoVLM { processing = nil }
        if let processing {
            try Files.write(
                processing.serialized(pretty: true) + "\n", to: Paths.join(folder, "preprocessor_config.json"))
        }
        var generation = JSONObject()
        if let bos = tokenizer.bosID { generation["bos_token_id"] = .integer(Int64(bos)) }
        if let eos = tokenizer.eosID { generation["eos_token_id"] = .integer(Int64(eos)) }
        generation["do_sample"] = false
        try Files.write(
            JSON.object(generation).serialized(pretty: true) + "\n", to: Paths.join(folder, "generation_config.json"))
        try OwnSettings(template: template, captionPrompt: captionPrompt).write(to: folder)
        try Files.write(json.serialized(pretty: true) + "\n", to: Paths.join(folder, "config.json"))
    }

    private static let sideNames = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model", "chat_template.jinja",
        "chat_template.json", "processor_config.json",
    ]

    /// The tokenizer's files of a folder, to be written again with the model.
    static func sideFiles(_ folder: String) throws -> [(name: String, bytes: [UInt8])] {
        try sideNames.compactMap { name in
            let path = Paths.join(folder, name)
            return Files.exists(path) ? (name, try Files.read(path)) : nil
        }
    }
}
