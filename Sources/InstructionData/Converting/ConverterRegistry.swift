public import Basics

/// The known converters.
public enum ConverterRegistry {
    /// One line a converter.
    public static let all: [any DatasetConverter.Type] = [
        LLaVAConverter.self,
        ImageFolderConverter.self,
        TableConverter.self,
        COCOCaptionsConverter.self,
        VQAv2Converter.self,
        EasyVQAConverter.self,
        ShareGPT4VConverter.self,
        ALLaVAConverter.self,
        AlpacaConverter.self,
        COCOInstancesConverter.self,
        VisualGenomeConverter.self,
        Flickr30kConverter.self,
        OKVQAConverter.self,
        AOKVQAConverter.self,
        GQAConverter.self,
        TextVQAConverter.self,
        STVQAConverter.self,
        ScienceQAConverter.self,
        NLVRConverter.self,
        NLVR2Converter.self,
        VizWizConverter.self,
        RefCOCOConverter.self,
        WebDatasetConverter.self,
    ]

    /// The converter of a word.
    /// - Throws: `UserError` that lists the known words.
    public static func converter(named kind: String) throws(UserError) -> any DatasetConverter.Type {
        if let found = all.first(where: { $0.kind == kind || $0.aliases.contains(kind) }) { return found }
        let kinds = all.flatMap { [$0.kind] + $0.aliases }
        throw UserError(
            "unknown kind of data \"\(kind)\"" + Suggestion.phrase(for: kind, among: kinds),
            fix: "known kinds: \(kinds.joined(separator: ", "))")
    }
}
