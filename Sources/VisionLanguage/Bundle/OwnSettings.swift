import Basics
import Tokenization

/// `vitrail.json`: what has no place in a model folder's other files. This project alone writes it.
struct OwnSettings {
    /// The chat template that the model was tuned with; nil for the one that lies in the folder.
    var template: ChatTemplateName?
    /// What the model was tuned to describe a picture at.
    var captionPrompt: String?

    private static let name = "vitrail.json"

    init(template: ChatTemplateName?, captionPrompt: String?) {
        (self.template, self.captionPrompt) = (template, captionPrompt)
    }

    /// Reads a folder's; without the file nothing is set.
    ///
    /// - Throws: an error for what cannot be, since another template would be another question.
    init(_ folder: String) throws {
        let path = Paths.join(folder, Self.name)
        guard Files.exists(path) else { return }
        let json: JSON
        do {
            json = try JSON.read(path)
        } catch let error as JSONError {
            throw UserError(
                error.problem,
                fix: "copy it from the run or model that the folder was made from; it names template and caption prompt"
            )
        }
        guard json.object != nil else {
            throw UserError(
                "\(path): expected keys and values, found \(json.kind)", fix: "write {\"format\": 1}, or remove it")
        }
        func text(_ key: String) throws -> String? {
            guard let value = json[key], !value.isNull else { return nil }
            if let text = value.string { return text }
            throw UserError(
                "\(path): \"\(key)\" is \(value.serialized()), no text", fix: "put it in quotes, or remove it")
        }
        captionPrompt = try text("caption_prompt")
        guard let name = try text("template") else { return }
        template = ChatTemplateName(rawValue: name)
        if template == nil {
            throw UserError(
                "\(path): unknown chat template \"\(name)\"",
                fix: Suggestion.fix(for: name, among: ChatTemplateName.allCases.map(\.rawValue)))
        }
    }

    /// Writes the file.
    func write(to folder: String) throws {
        var json: JSONObject = ["format": 1]
        if let template { json["template"] = .string(template.rawValue) }
        if let captionPrompt { json["caption_prompt"] = .string(captionPrompt) }
        try Files.write(JSON.object(json).serialized(pretty: true) + "\n", to: Paths.join(folder, Self.name))
    }
}
