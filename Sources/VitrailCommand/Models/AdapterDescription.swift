import Basics
import Checkpointing
import Tuning

/// What a folder says about its adapter.
struct AdapterDescription {
    let file: AdapterFile
    let parameters: Int

    init(_ folder: String) throws {
        file = try AdapterFile(folder)
        parameters = file.tensors.entries.reduce(0) { $0 + $1.count }
    }

    var json: JSONObject {
        [
            "adapter": .string(file.path), "type": .string(file.type),
            "methods": .array(file.methods.map { .string($0) }), "tensors": .int(file.tensors.entries.count),
            "parameters": .int(parameters),
            "base": file.configuration["base_model_name_or_path"] ?? .null,
            "base_sha256": file.baseDigest.map { .string($0) } ?? .null,
            "caption_prompt": file.captionPrompt.map { .string($0) } ?? .null,
        ]
    }
}
