import Basics

/// Files that people mistake for safetensors, recognised by their first bytes.
enum ForeignFile {
    case pickle
    case largeFileStoragePointer
    case webPage
    case gguf

    init?(_ bytes: UnsafeRawBufferPointer) {
        func starts(_ text: String) -> Bool { bytes.starts(with: text.utf8) }
        // Zip archives since PyTorch 1.6, bare pickles (protocols 2 to 5) before.
        if starts("PK\u{3}\u{4}") || bytes[0] == 0x80 && (2...5).contains(bytes[1]) {
            self = .pickle
        } else if starts("version https://git-lfs") {
            self = .largeFileStoragePointer
        } else if starts("<!DOCTYPE") || starts("<!doctype") || starts("<html") {
            self = .webPage
        } else if starts("GGUF") {
            self = .gguf
        } else {
            return nil
        }
    }

    func error(_ path: String) -> CheckpointError {
        switch self {
        case .pickle: Self.pickleError(path, file: path)
        case .largeFileStoragePointer:
            CheckpointError(
                .foreignFile, path, "is a Git LFS pointer, not the weights themselves",
                fix: "fetch the weights with: git -C \(Self.quoted(Paths.parent(path))) lfs pull")
        case .webPage:
            CheckpointError(
                .foreignFile, path, "is a web page, not weights",
                fix: "download the file itself; on huggingface.co the address has /resolve/, not /blob/")
        case .gguf:
            CheckpointError(
                .foreignFile, path, "is a GGUF file; models are read from safetensors",
                fix: "use the Hugging Face folder that the GGUF file was made from")
        }
    }

    /// Why pickles are refused, and the one command that converts them.
    ///
    /// All shards are joined, since the single file that results needs no index.
    static func pickleError(_ path: String, file: String, target: String? = nil) -> CheckpointError {
        let stem = Paths.stem(file)
        let target = target ?? Paths.join(Paths.parent(file), stem + ".safetensors")
        let script =
            "import sys,glob,torch,safetensors.torch as s;"
            + "t={k:v.clone().contiguous() for f in sorted(glob.glob(sys.argv[1])) "
            + "for k,v in torch.load(f,map_location='cpu',weights_only=True).items()};"
            + "s.save_file(t,sys.argv[2],{'format':'pt'})"
        return CheckpointError(
            .pickle, path,
            "the weights are in PyTorch's pickle format, which is refused because opening one can run any program in it",
            fix: "convert them once, if you trust their source, with: "
                + "python3 -c \"\(script)\" \(quoted(file)) \(quoted(target))")
    }

    /// A path as one word of a shell command.
    static func quoted(_ path: String) -> String {
        "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
