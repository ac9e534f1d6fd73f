import Basics
import VisionLanguage

extension Trainer {
    /// Older checkpoints go, except the best, once a newer one is complete.
    func removeOldCheckpoints(_ stage: StageRecipe, keeping state: TrainingState) throws {
        let steps = try folder.completeCheckpoints(of: stage.name)
        for step in steps.dropLast(stage.checkpointKeep) where step != state.bestStep {
            try Files.remove(folder.checkpoint(of: stage.name, step: step))
        }
        // Stages before this one are only needed for their last weights, which this checkpoint holds.
        for earlier in recipe.stages.prefix(state.stage) {
            for step in try folder.completeCheckpoints(of: earlier.name).dropLast(1) {
                try Files.remove(folder.checkpoint(of: earlier.name, step: step))
            }
        }
    }

    /// The model folder that a stage's adapter belongs on: the recipe's, the checkpoint that the stage began from, or the finished
    /// model where its weights are those. Where none is kept, words that say which model it was.
    func base(of index: Int, _ tuning: StageTuning) throws -> String {
        if index == 0, case .folder(let model) = recipe.model, model.vocabulary == VocabularyGrowth() {
            return model.path
        }
        if index > 0, recipe.stages[index - 1].tune.isEmpty {
            let name = recipe.stages[index - 1].name
            if let step = try folder.completeCheckpoints(of: name).last {
                return folder.checkpoint(of: name, step: step)
            }
        }
        return tuning.leavesTheBase
            ? folder.final : "\(recipe.source) before its stage \(recipe.stages[index].name)"
    }

    func writeFinal() throws {
        let directory = try AtomicDirectory(folder.final)
        try bundle.write(to: directory.path)
        if let adapter = bundle.adapterFolder {
            let copy = Paths.join(directory.path, "adapter")
            try Files.createDirectory(copy)
            for name in try Files.list(adapter) {
                try Files.write(try Files.read(Paths.join(adapter, name)), to: Paths.join(copy, name))
            }
        }
        try directory.commit()
    }

    func dataDigests(_ stage: StageRecipe) throws -> [(path: String, digest: String)] {
        try stage.data.map { source in
            let path = Files.isDirectory(source.path) ? Paths.join(source.path, "records.jsonl") : source.path
            let file = try MappedFile(path)
            var hash = SHA256()
            hash.update(file.bytes)
            return (source.path, SHA256.hex(hash.finish()))
        }
    }

    /// What tells changed data from the same: of each file the size, and a digest of its first and last 64 KiB. Cheap, since every start reads
    /// it.
    func dataMark(_ stage: StageRecipe) throws -> String {
        var hash = SHA256()
        for source in stage.data {
            let path = Files.isDirectory(source.path) ? Paths.join(source.path, "records.jsonl") : source.path
            let file = try MappedFile(path)
            let (count, end) = (file.bytes.count, min(file.bytes.count, 65_536))
            withUnsafeBytes(of: UInt64(count).littleEndian) { hash.update($0) }
            hash.update(UnsafeRawBufferPointer(rebasing: file.bytes[..<end]))
            hash.update(UnsafeRawBufferPointer(rebasing: file.bytes[(count - end)...]))
        }
        return SHA256.hex(hash.finish())
    }

    func logSize(_ path: String) throws -> Int { Files.exists(path) ? try Files.size(path) : 0 }

    /// Cuts a log that nobody has open behind its first `size` bytes.
    func trimLog(_ path: String, to size: Int) throws {
        guard Files.exists(path), try Files.size(path) > size else { return }
        guard size > 0 else { return try Files.remove(path) }
        try Files.write(Array(try Files.read(path, limit: .max).prefix(size)), to: path)
    }
}
