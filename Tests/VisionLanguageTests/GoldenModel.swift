import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import VisionLanguage

/// A whole model with what its folder says it computes: a checkpoint of transformers, or tower, projector and decoder apart.
struct GoldenModel {
    let folder: String
    let model: VisionLanguageModel
    let table: KeyTable
    let imageToken: Int
    let samples: [(image: String, ids: [Int32], labels: [Int32])]
    let batches: [[Int]]
    let io: TensorFile
    let tolerances: JSON

    init(_ folder: String, on backend: any Backend) throws {
        self.folder = folder
        let checkpoint = Paths.join(folder, "checkpoint")
        if !Files.exists(Paths.join(checkpoint, "projector.safetensors")) {
            let family = try ModelFamily.read(checkpoint)
            model = VisionLanguageModel(family.configuration, Initializer(backend: backend, fills: false))
            try model.parameters.load(from: TensorFolder(checkpoint), table: family.table)
            table = family.table
        } else {
            func reader(_ part: String) throws -> ConfigurationReader {
                let path = Paths.join(checkpoint, part, "config.json")
                return ConfigurationReader(json: try JSON.read(path), source: path)
            }
            var vision = try VisionFamily.read(reader("vision"))
            vision.hasPoolingHead = false  // whose result the model does not use
            let settings = try JSON.read(Paths.join(checkpoint, "config.json"))
            let configuration = ModelConfiguration(
                vision: vision, features: VisionFeatures(layer: -1, appliesPostNorm: true),
                projector: .pixelShuffle(factor: settings["pixel_shuffle_factor"]?.int ?? 2),
                language: try DecoderFamily.read(reader("language")))
            model = VisionLanguageModel(configuration, Initializer(backend: backend, fills: false))
            let tower = KeyTable.vision(patchSize: vision.patchSize)
            try Self.part("vision", of: model).load(from: TensorFolder(Paths.join(checkpoint, "vision")), table: tower)
            try Self.part("language", of: model)
                .load(from: TensorFolder(Paths.join(checkpoint, "language")), table: .llama)
            let file = try TensorFile(Paths.join(checkpoint, "projector.safetensors"))
            let only = KeyTable([KeyRule(file.entries[0].name, "weight")])
            try Self.part("projector", of: model).load(from: file, table: only)
            table =
                tower.prefixed(key: "vision.", path: "vision.")
                + KeyTable([KeyRule("projector.weight", "projector.weight")])
                + KeyTable.llama.prefixed(key: "language.", path: "language.")
        }
        let json = try JSON.read(Paths.join(folder, "samples.json"))
        imageToken = json["image_token_id"]?.int ?? -1
        samples = try (json["samples"]?.array ?? []).map { sample in
            func list(_ key: String) throws -> [Int32] {
                try #require(sample[key]?.array).map { Int32($0.int ?? 0) }
            }
            return (sample["image"]?.string ?? "", try list("input_ids"), try list("labels"))
        }
        batches = (json["batches"]?.array ?? []).map { $0.array?.compactMap(\.int) ?? [] }
        io = try TensorFile(Paths.join(folder, "io.safetensors"))
        tolerances = try JSON.read(Paths.join(folder, "tolerances.json"))
    }

    static func part(_ name: String, of model: VisionLanguageModel) -> ParameterTree {
        ParameterTree(
            model.parameters.entries.filter { $0.path.hasPrefix(name + ".") }.map {
                (String($0.path.dropFirst(name.count + 1)), $0.parameter)
            })
    }

    /// Samples packed without padding.
    func packed(_ indices: [Int]) throws -> PackedBatch {
        var ids: [Int32] = []
        var labels: [Int32] = []
        var rows: [Int32] = []
        var offsets: [Int32] = [0]
        var pixels: [Float] = []
        var side = 0
        for index in indices {
            let sample = samples[index]
            for (place, id) in sample.ids.enumerated() {
                if Int(id) == imageToken { rows.append(Int32(ids.count)) }
                ids.append(Int(id) == imageToken ? -1 : id)
                let next = place + 1 < sample.labels.count ? sample.labels[place + 1] : -100
                labels.append(next < 0 ? -1 : next)
            }
            offsets.append(Int32(ids.count))
            if !sample.image.isEmpty {
                side = try io.entry("pixel_values.\(sample.image)").shape[2]
                pixels += try io.floats("pixel_values.\(sample.image)")
            }
        }
        let count = side == 0 ? 0 : pixels.count / (3 * side * side)
        let group = PictureGroup(height: side, width: side, count: count, pixels: pixels, rows: rows)
        return PackedBatch(ids: ids, labels: labels, offsets: offsets, pictures: count > 0 ? [group] : [])
    }

    func tolerance(_ group: String, _ name: String) -> Double {
        tolerances["tensors"]?[group]?[name]?["tol"]?.double ?? tolerances[group]?[name]?["tol"]?.double ?? 0
    }
}
