import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import VisionLanguage

/// Writes and reads everything that a run needs to go on: weights, optimizer, place in the data.
///
/// A checkpoint is a Hugging Face folder with `optimizer.safetensors` beside the weights and `state.json`, written last: a folder
/// without it was never finished and is removed.
enum StageCheckpoint {
    /// Writes a checkpoint; the folder takes its name only when everything is on disk.
    static func write(
        _ state: TrainingState, bundle: ModelBundle, extra: ParameterTree, optimizer: any Optimizer, to folder: String
    ) throws {
        let directory = try AtomicDirectory(folder)
        try bundle.write(to: directory.path)
        let tensors = optimizer.state + extra.entries.map { ("extra.\($0.path)", $0.parameter.value) }
        try writeTensors(tensors, to: directory.file("optimizer.safetensors"))
        try directory.commit(manifest: "state.json", state.json.serialized(pretty: true) + "\n")
    }

    /// Reads the place where a run stopped.
    static func state(in folder: String) throws -> TrainingState {
        let path = Paths.join(folder, "state.json")
        return try TrainingState(json: JSON.read(path), path: path)
    }

    /// Fills the optimizer and the stage's own parameters.
    static func restore(_ optimizer: any Optimizer, extra: ParameterTree, from folder: String) throws {
        let file = try TensorFile(Paths.join(folder, "optimizer.safetensors"))
        let tensors = optimizer.state + extra.entries.map { ("extra.\($0.path)", $0.parameter.value) }
        for (name, tensor) in tensors {
            let entry = try file.entry(name)
            guard entry.count == tensor.count else {
                throw UserError(
                    "\(file.path): \(name) has shape \(entry.shape), the recipe's stage needs \(tensor.shape)",
                    fix: "resume with the recipe that the run was started with")
            }
            guard (tensor.dtype == .int32) == (entry.element == .int32) else {
                throw UserError(
                    "\(file.path): \(name) holds \(entry.element.torchName), which the stage's optimizer does not keep it in",
                    fix: "resume with the recipe that the run was started with")
            }
            if tensor.dtype == .int32 {
                // Codes of 8-bit moments, four an element.
                try file.withBytes(name) { bytes in
                    let copy = [UInt8](bytes)
                    copy.withUnsafeBytes { tensor.backend.upload($0, to: tensor) }
                }
                continue
            }
            let values = try file.floats(name)
            values.withUnsafeBytes { tensor.backend.upload($0, to: tensor) }
        }
    }

    private static func writeTensors(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws {
        let descriptions = tensors.map {
            TensorDescription(
                name: $0.name, element: $0.tensor.dtype == .int32 ? .int32 : .float32, shape: $0.tensor.shape.dimensions
            )
        }
        var writer = try SafetensorsWriter(path, descriptions)
        for (name, tensor) in tensors {
            if tensor.dtype == .int32 {
                try tensor.integers.withUnsafeBytes { try writer.append(name, $0) }
            } else {
                try writer.append(name, floats: tensor.floats)
            }
        }
        try writer.finish()
    }
}
