public import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension ShapeWorld {
    /// Writes the set into a folder, which appears complete or not at all; `manifest.json` is written last.
    ///
    /// A split's folder has `images/`, `records.jsonl` (conversations), `captions.jsonl` (one caption a picture),
    /// `statements.jsonl` (every short true statement, a line each, for contrastive pretraining), `questions.jsonl` and `describe.jsonl` (for evaluation); `train` also has `corpus.txt` (plain text, a line each).
    /// - Parameter progress: called with the number of pictures so far, from one thread at a time.
    /// - Returns: the manifest.
    /// - Throws: a `Problem`, or `RunStopped` when `progress` does; then nothing is left behind.
    @discardableResult
    public func write(
        to folder: String, workers: Int = Parallel.processors, progress: ((Int) throws -> Void)? = nil
    ) throws -> JSON {
        try validate()
        try Files.createDirectory(Paths.parent(folder))
        let directory = try AtomicDirectory(folder)
        var splits = JSONObject()
        var done = 0
        for split in Split.allCases {
            guard let count = counts[split] else { continue }
            let digest = try write(split, count: count, in: directory.file(split.rawValue), workers: workers) {
                done += $0
                try progress?(done)
            }
            splits[split.rawValue] = ["pictures": .int(count), "sha256": .string(digest)]
        }
        let manifest: JSON = [
            "name": "shapes", "version": 1, "seed": .string(String(seed)), "size": .int(side),
            "most_shapes": .int(mostShapes),
            "splits": .object(splits), "corpus_lines": .int(counts[.train] == nil ? 0 : corpusLines),
            "held_out": .array(ShapeCombination.heldOut.map { .string("\($0.color.rawValue) \($0.shape.rawValue)") }),
        ]
        try directory.commit(manifest: "manifest.json", manifest.serialized(pretty: true) + "\n")
        return manifest
    }

    /// Pictures that one call of a worker makes.
    private static let chunk = 16

    private struct Lines: Sendable {
        var records = ""
        var captions = ""
        var statements = ""
        var questions = ""
        var describe = ""
        var digests = ""
    }

    private func write(
        _ split: Split, count: Int, in folder: String, workers: Int, progress: (Int) throws -> Void
    ) throws -> String {
        try Files.createDirectory(Paths.join(folder, "images"))
        let names = ["records.jsonl", "captions.jsonl", "statements.jsonl", "questions.jsonl", "describe.jsonl"]
        let files = try names.map { try LineFile(Paths.join(folder, $0)) }
        var hash = SHA256()
        // Rounds of chunks: results of a round are held, so memory does not grow with the set.
        let round = Self.chunk * max(1, workers) * 4
        for start in stride(from: 0, to: count, by: round) {
            let end = min(count, start + round)
            let chunks = stride(from: start, to: end, by: Self.chunk).map { $0..<min(end, $0 + Self.chunk) }
            for lines in try Parallel.map(chunks, workers: workers, { try write(split, $0, in: folder) }) {
                let texts = [lines.records, lines.captions, lines.statements, lines.questions, lines.describe]
                for (file, text) in zip(files, texts) {
                    try file.append(text)
                }
                hash.update(Array(lines.digests.utf8))
            }
            try progress(end - start)
        }
        for file in files { _ = try file.settle() }
        for file in files { try file.commit() }
        if split == .train {
            try writeCorpus(to: Paths.join(folder, "corpus.txt"), workers: workers) { try progress(0) }
        }
        return SHA256.hex(hash.finish())
    }

    private func write(_ split: Split, _ numbers: Range<Int>, in folder: String) throws -> Lines {
        var lines = Lines()
        for number in numbers {
            let item = try item(split, number)
            try Self.writeFresh(item.picture, to: Paths.join(folder, item.name))
            lines.digests += SHA256.hex(of: item.picture)
            lines.records += item.instruct.line + "\n"
            lines.captions += item.caption.line + "\n"
            lines.statements += item.statements.line + "\n"
            for (index, question) in item.questions.enumerated() {
                let line: JSON = [
                    "id": .string("\(item.instruct.id)-\(index)"), "image": .string(item.name),
                    "question": .string(question.question), "answers": [.string(question.answer)],
                    "kind": .string(question.kind),
                ]
                lines.questions += line.serialized() + "\n"
            }
            let describe: JSON = [
                "id": .string(item.instruct.id), "image": .string(item.name),
                "question": .string(Self.describeQuestion), "answers": [.string(item.exactCaption)],
                "kind": "description",
            ]
            lines.describe += describe.serialized() + "\n"
        }
        return lines
    }

    private func writeCorpus(to path: String, workers: Int, progress: () throws -> Void) throws {
        let file = try LineFile(path)
        let round = 1024 * max(1, workers) * 4
        for start in stride(from: 0, to: corpusLines, by: round) {
            let end = min(corpusLines, start + round)
            let chunks = stride(from: start, to: end, by: 1024).map { $0..<min(end, $0 + 1024) }
            for text in try Parallel.map(chunks, workers: workers, { $0.map { corpusLine($0) + "\n" }.joined() }) {
                try file.append(text)
            }
            try progress()
        }
        try file.commit()
    }

    /// Writes a file of the unfinished folder; the folder's commit synchronizes it and gives it its name.
    private static func writeFresh(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError("write", path) }
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, done, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("write", path)
            }
            done += count
        }
    }
}

/// `write` from an offset, under a name that the type's own methods don't hide.
private func systemWrite(_ descriptor: Int32, _ base: UnsafeRawPointer?, _ offset: Int, _ count: Int) -> Int {
    write(descriptor, base?.advanced(by: offset), count - offset)
}
