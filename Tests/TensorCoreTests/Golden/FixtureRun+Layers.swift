import Basics
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

extension FixtureRun {
    func linear() throws {
        let bias = has("in.bias") ? try input("bias") : nil
        try output("y", TensorCore.linear(input("x"), weight: input("weight"), bias: bias))
    }

    func activation(_ function: Activation) throws {
        try output("y", TensorCore.activation(function, input("x")))
    }

    /// down(silu(gate x) ⊙ up x), gate and up as one map.
    func gatedFeedForward() throws {
        let both = TensorCore.linear(
            try input("x"), weights: [try input("gate"), try input("up")], biases: [nil, nil])
        try output("y", TensorCore.linear(gatedActivation(.silu, both), weight: input("down")))
    }

    func feedForward() throws {
        let h = TensorCore.linear(try input("x"), weight: try input("w1"), bias: try input("b1"))
        try output(
            "y", TensorCore.linear(TensorCore.activation(.gelu, h), weight: input("w2"), bias: input("b2")))
    }

    func embedding() throws {
        let shape = try shape("out.y")
        let ids = Tensor(try integers("in.ids"), on: backend)
        let padding = fixture.description["attrs"]?["padding_id"]?.int.map { Int32($0) }
        let rows = embedded(try input("weight"), ids: ids, features: nil, rows: nil, paddingID: padding)
        try output("y", rows.reshaped(Shape(shape)))
    }

    /// One matrix as embedding and as head: its gradient is the sum of both.
    func tiedHead() throws {
        let weight = try input("weight")
        let rows = gatherRows(weight, indices: Tensor(try integers("in.ids"), on: backend))
        let logits = TensorCore.linear(TensorCore.activation(.tanh, rows), weight: weight)
        try output("logits", logits.reshaped(Shape(shape("out.logits"))))
    }

    /// Embeddings with picture features in place of the image tokens.
    func visualTokens() throws {
        let image = Int32(try fixture.number("image_token_id"))
        let ids = try integers("in.ids")
        let places = ids.indices.filter { ids[$0] == image }.map { Int32($0) }
        let features = try input("image_features")
        let y = embedded(
            try input("weight"), ids: Tensor(ids.map { $0 == image ? -1 : $0 }, on: backend),
            features: features.reshaped([places.count, features.shape.columns]), rows: Tensor(places, on: backend))
        try output("y", y.reshaped(Shape(shape("out.y"))))
    }

    /// A convolution whose stride is its kernel: patches, then a product.
    func patchEmbedding() throws {
        let weight = try input("weight")
        let rows = patches(try input("pixels"), patchSize: Int(try fixture.number("patch")))
        let bias = has("in.bias") ? try input("bias") : nil
        let y = TensorCore.linear(
            rows, weight: weight.reshaped([weight.shape[0], rows.shape.columns]), bias: bias)
        try output("y", y.reshaped(Shape(shape("out.y"))))
    }

    /// Blocks of factor × factor tokens side by side: a gathering of rows.
    func pixelShuffle() throws {
        let (grid, factor) = (Int(try fixture.number("grid")), Int(try fixture.number("factor")))
        let x = try input("x")
        var order: [Int32] = []
        for image in 0..<x.shape[0] {
            for block in 0..<(grid / factor) * (grid / factor) {
                let (down, across) = (block / (grid / factor) * factor, block % (grid / factor) * factor)
                for inside in 0..<factor * factor {
                    let token = (down + inside / factor) * grid + across + inside % factor
                    order.append(Int32(image * grid * grid + token))
                }
            }
        }
        let y = gatherRows(x.reshaped([x.shape.rows, x.shape.columns]), indices: Tensor(order, on: backend))
        try output("y", y.reshaped(Shape(shape("out.y"))))
    }

    func interpolation() throws {
        let side = Int(try fixture.number("from"))
        let attributes = fixture.description["attrs"]
        let target = try #require(attributes?["to"]?.array).compactMap(\.int)
        let mode = try #require(attributes?["mode"]?.string)
        let kernel: PositionInterpolation.Kernel = try #require(["bicubic": .bicubic, "bilinear": .bilinear][mode])
        let positions = try input("pos")
        let y = PositionInterpolation.resample(
            positions.reshaped([side * side, positions.shape.columns]), from: (side, side),
            to: (target[0], target[1]), kernel: kernel, antialias: try #require(attributes?["antialias"]?.bool as Bool?)
        )
        try output("y", y.reshaped(Shape(shape("out.y"))))
    }
}
