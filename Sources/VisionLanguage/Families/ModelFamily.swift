import Basics
package import Checkpointing
import TensorCore

/// What a model folder is: the configuration read from `config.json`, and the keys of its weights.
package struct ModelFamily {
    package var configuration: ModelConfiguration
    package var table: KeyTable
    /// The placeholder's id, for models with a tower.
    var imageTokenID: Int32?
    /// `config.json` as it was read, for layouts that keep settings there which the network doesn't have.
    var published: JSON
    /// How pictures are processed, where `config.json` says it (nanoVLM, LLaVA's original layout).
    var pictures: PictureSettings?
    /// The tower's folder or hub name, where the folder leaves the tower out (LLaVA's original layout).
    var towerName: String?

    init(
        configuration: ModelConfiguration, table: KeyTable, imageTokenID: Int32?, published: JSON,
        pictures: PictureSettings? = nil, towerName: String? = nil
    ) {
        self.configuration = configuration
        self.table = table
        self.imageTokenID = imageTokenID
        self.published = published
        self.pictures = pictures
        self.towerName = towerName
    }

    /// What is said of a place without `config.json`.
    private static func noModel(_ folder: String) -> UserError {
        if Files.exists(Paths.join(folder, "adapter_config.json")) {
            return UserError(
                "\(folder): an adapter, and no model",
                fix:
                    "name the model that it was made for, and this folder with --adapter; vitrail adapter merge makes one of both"
            )
        }
        let fault =
            Files.isDirectory(folder) ? "no config.json" : Files.exists(folder) ? "that is no folder" : "no such folder"
        return UserError(
            "\(folder): \(fault)",
            fix: innerModel(of: folder) ?? "name a model folder in Hugging Face layout" + advice(fault, folder))
    }

    /// What else may be meant by a path that is not there: one from another folder, or a name of the hub, which is never asked.
    private static func advice(_ fault: String, _ folder: String) -> String {
        guard fault == "no such folder", !folder.hasPrefix("/") else { return "" }
        let names = folder.split(separator: "/", omittingEmptySubsequences: false)
        let download =
            names.count == 2 && !folder.hasPrefix(".") && !Files.exists(String(names[0]))
            ? "; a model of the hub is fetched first: hf download \(folder) --local-dir models/\(names[1])" : ""
        return ", by its path from the folder where vitrail is called" + download
    }

    /// The advice where a folder holds a model's folder, as a run's holds `final`; nil where it holds none.
    package static func innerModel(of folder: String) -> String? {
        (try? Files.list(folder, leaveOut: { _ in }))?.map { Paths.join(folder, $0) }
            .first { Files.exists(Paths.join($0, "config.json")) }.map { "name the model in it: \($0)" }
    }

    /// Reads `config.json` of a decoder alone, of a family of whole models, or of this project's own combination of parts.
    ///
    /// - Parameter tower: folder of the tower, for layouts that leave it out.
    package static func read(_ folder: String, tower: String? = nil) throws -> ModelFamily {
        let path = Paths.join(folder, "config.json")
        guard Files.exists(path) else { throw noModel(folder) }
        let reader = ConfigurationReader(json: try JSON.read(path), source: path)
        guard reader.json.object != nil else {
            throw UserError("\(path): not a JSON object", fix: "get the file again")
        }
        _ = try WeightStorage.ofFolder(folder)
        let name = try reader.string("model_type") ?? ""
        if reader.json["mm_vision_tower"] != nil || reader.json["mm_projector_type"] != nil {
            return try originalLlava(reader, folder: folder, tower: tower)
        }
        if let tower {
            throw UserError(
                "\(folder) is no model in LLaVA's own layout, and takes no tower from \(tower)",
                fix: "leave the tower out; a recipe joins parts by model: {vision: \(tower), language: \(folder)}")
        }
        switch name {
        case "llava", "vitrail", "llava_next": return try llava(reader)
        case "idefics3", "smolvlm": return try idefics3(reader)
        case "paligemma": return try paliGemma(reader)
        case "" where reader.json["lm_hidden_dim"] != nil: return try nanoVLM(reader)
        case let name where DecoderFamily(rawValue: name) != nil:
            let language = try DecoderFamily.read(reader)
            return ModelFamily(
                configuration: ModelConfiguration(
                    vision: nil, features: VisionFeatures(appliesPostNorm: false), projector: .linear,
                    language: language),
                table: language.family.table.prefixed(key: "", path: "language."), imageTokenID: nil,
                published: reader.json)
        default:
            let known =
                DecoderFamily.allCases.map(\.rawValue) + ["llava", "llava_next", "idefics3", "smolvlm", "paligemma"]
            throw UserError(
                "\(path): \"model_type\": \"\(name)\" is not supported",
                fix: Suggestion.fix(
                    for: name, among: known,
                    or: "supported are \(known.joined(separator: ", ")), LLaVA's original layout and nanoVLM"))
        }
    }

    /// Keys of the weights, as the model's layout names them.
    static func table(_ configuration: ModelConfiguration) -> KeyTable {
        guard let vision = configuration.vision else {
            return configuration.language.family.table.prefixed(key: "", path: "language.")
        }
        switch configuration.layout {
        case .decoder, .llava, .llavaNext, .paliGemma:
            return .llava(
                channels: vision.channels, patchSize: vision.patchSize, language: configuration.language.family.table)
        case .idefics3, .smolVLM: return .idefics3(channels: vision.channels, patchSize: vision.patchSize)
        case .nanoVLM:
            return .nanoVLM(
                channels: vision.channels, patchSize: vision.patchSize,
                positions: vision.gridSize * vision.gridSize + (vision.hasClassToken ? 1 : 0))
        }
    }
}

/// How `config.json` says that pictures are processed.
struct PictureSettings: Equatable {
    /// The name of nanoVLM's tokens for pictures, tiles and the whole; empty in old folders.
    var tokens: [String: String] = [:]
    /// Whether a picture is padded to a square (LLaVA's `image_aspect_ratio`).
    var pads = false
    /// Largest side before cutting; nil for one tile.
    var maximumSide: Int?
    /// Whether smaller pictures grow to `maximumSide`.
    var upscales = false
    /// Sizes of LLaVA's `anyres`, (height, width).
    var pinpoints: [[Int]]?
}
