import Checkpointing
import TensorCore
import TestSupport
import Testing

/// One fixture on one back end: its inputs as parameters, and what was computed from them.
final class FixtureRun {
    let fixture: OperationFixture
    let backend: any Backend
    private let file: TensorFile
    private var parameters: [String: (parameter: Parameter, isHeads: Bool)] = [:]
    private var results: [String: [Float]] = [:]

    init(_ fixture: OperationFixture, on backend: any Backend) throws {
        self.fixture = fixture
        self.backend = backend
        file = try fixture.open()
    }

    func has(_ tensor: String) -> Bool { file.contains(tensor) }

    func shape(_ tensor: String) throws -> [Int] { try file.entry(tensor).shape }

    func floats(_ tensor: String) throws -> [Float] { try file.floats(tensor) }

    func integers(_ tensor: String) throws -> [Int32] { try file.integers(tensor).map { Int32($0) } }

    /// `in.NAME` as a trainable operand; the same one for all calls.
    func input(_ name: String) throws -> Tensor {
        if let known = parameters[name] { return known.parameter.tensor }
        let shape = Shape(try shape("in." + name))
        return register(name, Tensor(try floats("in." + name), shape: shape, on: backend), isHeads: false)
    }

    /// `in.NAME`, `[batch, heads, tokens, width]`, as `[batch · tokens, heads · width]`.
    func headInput(_ name: String) throws -> Tensor {
        if let known = parameters[name] { return known.parameter.tensor }
        let shape = try shape("in." + name)
        let values = exchanged(try floats("in." + name), shape)
        let rows: Shape = [shape[0] * shape[2], shape[1] * shape[3]]
        return register(name, Tensor(values, shape: rows, on: backend), isHeads: true)
    }

    /// `in.NAME` as a constant.
    func constant(_ name: String) throws -> Tensor {
        Tensor(try floats("in." + name), shape: Shape(try shape("in." + name)), on: backend)
    }

    private func register(_ name: String, _ value: Tensor, isHeads: Bool) -> Tensor {
        let parameter = Parameter(value, decays: false)
        parameters[name] = (parameter, isHeads)
        return parameter.tensor
    }

    /// Keeps a result and sends its upstream gradient `gout.NAME` back.
    func output(_ name: String, _ result: Tensor, isHeads: Bool = false) throws {
        var values = result.floats
        var upstream = has("gout." + name) ? try floats("gout." + name) : nil
        if isHeads {
            let shape = try shape("out." + name)
            values = exchanged(values, [shape[0], shape[2], shape[1], shape[3]])
            upstream = upstream.map { exchanged($0, shape) }
        }
        results["out." + name] = values
        if let upstream { result.backward(seed: Tensor(upstream, shape: result.shape, on: backend)) }
    }

    /// Keeps a result that has no gradient, or whose gradient the caller sent back.
    func keep(_ name: String, _ values: [Float]) { results["out." + name] = values }

    /// Compares every output and gradient of the file; one that was not computed is a failure.
    func compare() throws {
        for (name, (parameter, isHeads)) in parameters {
            guard let gradient = parameter.gradient, has("grad." + name) else { continue }
            let shape = try shape("grad." + name)
            results["grad." + name] =
                isHeads ? exchanged(gradient.floats, [shape[0], shape[2], shape[1], shape[3]]) : gradient.floats
        }
        for tensor in file.names where tensor.hasPrefix("out.") || tensor.hasPrefix("grad.") {
            guard let result = results[tensor] else {
                Issue.record("\(fixture.testDescription): \(tensor) was not computed")
                continue
            }
            expectClose(
                result, try floats(tensor), fixture.tolerance(tensor), "\(fixture.testDescription) \(tensor)")
        }
    }
}

/// `[a, b, c, d]` → `[a, c, b, d]`.
private func exchanged(_ values: [Float], _ shape: [Int]) -> [Float] {
    let (a, b, c, d) = (shape[0], shape[1], shape[2], shape[3])
    var result: [Float] = []
    result.reserveCapacity(values.count)
    for i in 0..<a {
        for k in 0..<c {
            for j in 0..<b {
                let start = ((i * b + j) * c + k) * d
                result += values[start..<start + d]
            }
        }
    }
    return result
}
