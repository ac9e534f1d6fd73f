import NeuralNetwork
import TensorCore
import TestSupport
import Testing

extension FixtureRun {
    func adamW() throws {
        struct Weights {
            let name: String, value: Tensor, firstMoment: Tensor, secondMoment: Tensor, gradients: Tensor
        }
        let all = try ["w", "b"].map { name in
            let value = try constant(name)
            return Weights(
                name: name, value: value, firstMoment: backend.zeros(value.shape),
                secondMoment: backend.zeros(value.shape), gradients: try constant(name + "_grads"))
        }
        var history: [String: [Float]] = [:]
        for step in 0..<Int(try fixture.number("steps")) {
            let slices = try all.map { weights in
                AdamWSlice(
                    parameter: weights.value,
                    gradient: weights.gradients.rows(step..<step + 1).reshaped(weights.value.shape),
                    firstMoment: weights.firstMoment, secondMoment: weights.secondMoment,
                    learningRate: Float(try fixture.number("lr")),
                    weightDecay: Float(
                        try fixture.number(weights.name == "b" ? "weight_decay_of_b" : "weight_decay")))
            }
            let settings = AdamWSettings(
                beta1: try fixture.number("beta1"), beta2: try fixture.number("beta2"),
                epsilon: try fixture.number("eps"), step: step + 1, gradientScale: 1)
            _ = backend.adamW(slices, settings: settings)
            for weights in all { history[weights.name, default: []] += weights.value.floats }
        }
        for weights in all {
            keep(weights.name + "_steps", history[weights.name] ?? [])
            keep(weights.name + "_exp_avg", weights.firstMoment.floats)
            keep(weights.name + "_exp_avg_sq", weights.secondMoment.floats)
        }
    }

    func clipping() throws {
        let names = try ["a", "b", "c"].map { (name: $0, gradient: try constant($0)) }
        let norm = backend.sumOfSquares(names.map(\.gradient)).squareRoot()
        let factor = GradientBuffer.clipFactor(norm: norm, limit: try fixture.number("max_norm"))
        for (name, gradient) in names {
            backend.scale(gradient, by: Float(factor), into: gradient, accumulate: false)
            keep(name, gradient.floats)
        }
        keep("total_norm", [Float(norm)])
    }

    /// Narrowing to the half formats and widening again, bit for bit.
    func casts() throws {
        let x = try constant("x")
        for (name, dtype) in [("bfloat16", DType.bfloat16), ("float16", .float16)] {
            let narrow = backend.empty(x.shape, dtype)
            backend.convert(x, into: narrow)
            keep(name, narrow.floats)
            keep(name + "_back", narrow.floats)
        }
    }

    /// Quantising and widening again, and the stored bytes.
    func blockFormats() throws {
        let x = try constant("x")
        for (name, dtype) in [("int8", DType.int8Blocks64), ("int4", .int4Blocks)] {
            let blocks = backend.empty(x.shape, dtype)
            backend.convert(x, into: blocks)
            keep(name, blocks.floats)
            let bytes = [UInt8](unsafeUninitializedCapacity: dtype.byteCount(of: x.count)) { buffer, count in
                backend.download(blocks, to: UnsafeMutableRawBufferPointer(buffer))
                count = buffer.count
            }
            keep(name + "_bytes", bytes.map(Float.init))
        }
    }
}
