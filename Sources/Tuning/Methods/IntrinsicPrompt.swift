public import Basics
import Checkpointing
import NeuralNetwork
import TensorCore

/// Intrinsic prompt tuning (Qin et al. 2021): a prompt moves within the subspace that the prompts of several other tasks span.
///
/// The subspace is found first: one `prompt` stage a task, then the mean and the principal directions of what they learned, which is
/// the paper's auto-encoder in its linear form, found exactly. Only the coordinates in it are trained. The file holds the prompt that
/// comes out, so it reads back as a prompt.
public struct IntrinsicPrompt: TuningMethod {
    /// Its name in recipes.
    public static let name = "intrinsic-prompt"
    /// What it does.
    public static let summary = "a prompt within the subspace of other tasks' prompts"
    /// Folders of adapters by `prompt` or `ptuning`, one a task, of the same number of tokens.
    public var subspace: [String]
    /// Dimensions of the subspace, fewer than folders.
    public var dimensions: Int

    /// Reads its options.
    public init(_ options: any TuningOptions) {
        subspace = options.strings("subspace") ?? []
        dimensions = options.int("dimensions", minimum: 1) ?? max(1, subspace.count - 1)
        if subspace.count < 2 {
            options.fault(
                "subspace names \(subspace.count) prompts; a subspace needs those of two tasks or more",
                fix: "for example subspace: [runs/color/adapters/tune, runs/shape/adapters/tune]", key: "subspace")
        } else if dimensions >= subspace.count {
            options.fault(
                "\(subspace.count) prompts span \(subspace.count - 1) dimensions about their mean, not \(dimensions)",
                fix: "write dimensions: \(subspace.count - 1), or name more prompts", key: "dimensions")
        }
    }
    /// A subspace of prompts in folders.
    public init(subspace: [String], dimensions: Int) { (self.subspace, self.dimensions) = (subspace, dimensions) }
    /// Its options, as they are read.
    public var json: JSONObject {
        ["subspace": .array(subspace.map { .string($0) }), "dimensions": .int(dimensions)]
    }
    /// Puts it to work.
    public func attach(to target: TuningTarget) throws -> AttachedMethod {
        let (path, decoder) = try target.decoder(for: name)
        let prompts = try subspace.map { try Self.prompt($0, columns: decoder.hiddenSize) }
        let tokens = prompts[0].count / decoder.hiddenSize
        for (folder, prompt) in zip(subspace, prompts) where prompt.count != prompts[0].count {
            throw UserError(
                "\(folder): a prompt of \(prompt.count / decoder.hiddenSize) tokens, where \(subspace[0]) has \(tokens)",
                fix: "name prompts of the same number of tokens")
        }
        let rows = SubspacePrompt(prompts, dimensions: dimensions, shape: [tokens, decoder.hiddenSize], target)
        let attached = AttachedMethod(self, target)
        attached.add(rows.coordinates, at: path, "prompt_coordinates")
        attached.exported = {
            let values = GradientRecording.disabled { rows.embeddings()?.floats ?? [] }
            return [
                AdapterTensor(
                    site: path, name: "prompt_embeddings", shape: [tokens, decoder.hiddenSize], values: values)
            ]
        }
        attached.savedMethod = PromptTuning(tokens: tokens)
        decoder.virtualTokens = rows
        attached.remove = { decoder.virtualTokens = nil }
        attached.foldObstacle = "tokens in front of a sequence are no weights of the model"
        return attached
    }

    /// A prompt's rows, one after the other.
    private static func prompt(_ folder: String, columns: Int) throws -> [Float] {
        let file = try AdapterFile(folder)
        guard file.tensors.contains("prompt_embeddings") else {
            throw UserError(
                "\(folder): \(file.methods.joined(separator: ", ")) is no prompt",
                fix: "name adapters by prompt or ptuning")
        }
        let shape = try file.tensors.entry("prompt_embeddings").shape
        guard shape.count == 2, shape[0] > 0, shape[1] == columns else {
            throw UserError(
                "\(folder): its prompt is \(shape), this decoder's tokens have \(columns) columns",
                fix: "name prompts of the same decoder")
        }
        return try file.tensors.floats("prompt_embeddings")
    }
}

/// mean + Σ z·σ·u over the principal directions u of several prompts, with their deviations σ: z is of size 1 for a usual prompt.
final class SubspacePrompt: VirtualTokens {
    let coordinates: Parameter
    private let mean: Tensor
    private let directions: Tensor
    private let shape: [Int]

    /// - Parameters:
    ///   - prompts: rows one after the other, one a task.
    ///   - shape: `[tokens, hidden]`.
    init(_ prompts: [[Float]], dimensions: Int, shape: [Int], _ target: TuningTarget) {
        let (count, columns) = (prompts.count, prompts[0].count)
        var mean = [Double](repeating: 0, count: columns)
        for prompt in prompts { for index in mean.indices { mean[index] += Double(prompt[index]) / Double(count) } }
        let centred = prompts.flatMap { prompt in mean.indices.map { Float(Double(prompt[$0]) - mean[$0]) } }
        let principal = PrincipalPart(
            Tensor(centred, shape: [count, columns], on: target.backend), rank: dimensions)
        let deviations = principal.singularValues.map { $0 / Double(count - 1).squareRoot() }
        let scaled = principal.rightVectors.enumerated().map { Float(Double($1) * deviations[$0 % dimensions]) }
        self.shape = shape
        self.mean = Tensor(mean.map { Float($0) }, shape: [1, columns], on: target.backend)
        directions = Tensor(scaled, shape: [columns, dimensions], on: target.backend)
        coordinates = Parameter(
            Tensor([Float](repeating: 0, count: dimensions), shape: [1, dimensions], on: target.backend), decays: false)
    }

    var count: Int { shape[0] }
    var parameters: ParameterTree { ["prompt_coordinates": coordinates] }
    func keysAndValues(layer: Int) -> Tensor? { nil }
    func embeddings() -> Tensor? { (mean + linear(coordinates.tensor, weight: directions)).reshaped(Shape(shape)) }
}
