import Basics

/// Pictures in folders, one folder a class; the folder's name is the answer (`_` read as a space).
struct ImageFolderConverter: DatasetConverter {
    static let kind = "image-folder"
    static let aliases = ["folder"]
    static let summary =
        "pictures in a folder or tar archive, a class a subfolder; --split picks a folder inside"
    static let choices: Set<ConversionChoice> = [.split]

    /// The question unless the request has one.
    static let question = "What is in the picture?"

    func convert(_ request: ConversionRequest, into sink: ConversionSink) throws {
        let tree = try FileTree(request.input)
        sink.setImageRoot(tree.root)
        let prefix = request.split.map { $0.hasSuffix("/") ? $0 : $0 + "/" } ?? ""
        let files = try tree.files(under: prefix) { name, problem in
            let isFolder = problem is FileError
            // Other files would be passed over anyway; what lies in a folder of such a name is not known.
            guard isFolder || PictureName.isDecoded(name) || Paths.fileExtension(name).isEmpty else { return }
            try sink.fault(
                path: tree.shown(name), line: 1, isFolder ? "the folder may not be listed" : "the name is not UTF-8",
                fix: "\(isFolder ? "change its permissions" : "rename it"), or pass --lenient to leave it out")
        }
        let pictures = files.filter { PictureName.isDecoded($0) || PictureName.fault(of: $0) != nil }
        guard !pictures.isEmpty else {
            let splits = prefix.isEmpty ? [] : try Self.folders(of: tree)
            throw UserError(
                "\(tree.shown(prefix)) holds no pictures (\(files.count) other files)",
                fix: splits.isEmpty
                    ? "give a folder with a subfolder of .png or .jpg files for each class"
                    : "--split with one of \(splits.joined(separator: ", "))")
        }
        let question = request.asked(request.question ?? Self.question)
        for name in tree.unreadable(under: prefix) where PictureName.isDecoded(name) {
            let fault = PictureName.memberFault
            try sink.fault(path: tree.shown(name), line: 1, fault.reason, fix: fault.fix)
        }
        for name in pictures {
            if let fault = PictureName.fault(of: name) {
                try sink.fault(path: tree.shown(name), line: 1, fault.reason, fix: fault.fix)
                continue
            }
            let inner = name.dropFirst(prefix.count)
            guard let slash = inner.firstIndex(of: "/") else {
                try sink.fault(
                    path: tree.shown(name), line: 1, "the picture lies in no class folder",
                    fix: "put it into a folder named after its class, or pass --lenient to leave it out")
                continue
            }
            let label = String(inner[..<slash]).replacing(utf8: "_", with: " ")
            let exchange = Exchange(question: question, answer: label, task: "classification")
            try sink.emit(
                ConvertedRecord(id: name, images: [tree.reference(to: name)], exchanges: [exchange]),
                path: tree.shown(name), line: 1)
        }
    }

    /// Folders with pictures below them, some of many.
    private static func folders(of tree: FileTree) throws -> [String] {
        let pictures = try tree.files(under: "") { _, _ in }.filter(PictureName.isDecoded)
        return Set(pictures.compactMap { name in name.firstIndex(of: "/").map { String(name[..<$0]) } }).sorted()
            .prefix(8).map(\.self)
    }
}
