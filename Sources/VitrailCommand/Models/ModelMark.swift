import Basics
import Checkpointing

/// What tells a model folder from others, whatever it is called.
enum ModelMark {
    private static let files = [
        "config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "chat_template.jinja",
        "chat_template.json", "preprocessor_config.json", "processor_config.json",
    ]

    /// A SHA-256 of what the folder's answers depend on, of its weights' pieces instead of all of them, and of an adapter's files.
    static func of(_ folder: String, adapter: String? = nil) throws -> String {
        var text = try TensorFolder(folder).mark()
        for name in files {
            let path = Paths.join(folder, name)
            if Files.isRegularFile(path) { text += " \(name) \(SHA256.hex(of: try Files.read(path)))" }
        }
        guard let adapter else { return SHA256.hex(of: text) }
        var configuration = try JSON.read(Paths.join(adapter, "adapter_config.json")).object ?? [:]
        // Where the base lay and what is asked change no answer to a given question.
        configuration["base_model_name_or_path"] = nil
        text += " \(JSON.object(configuration).serialized())"
        text += try TensorFolder(adapter, stem: "adapter_model").mark()
        return SHA256.hex(of: text)
    }
}
