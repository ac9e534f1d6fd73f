import Basics
import NeuralNetwork
import TensorCore

/// DoRA: the row norms of W + scale · B A are replaced by learned magnitudes; the norm counts as a constant for the gradient.
final class DecomposedAdapter: LinearAdapter {
    let lowRank: LowRankAdapter
    /// `[outputs]`, the row norms of W at the start.
    let magnitude: Parameter
    private let map: Linear

    init(_ lowRank: LowRankAdapter) {
        self.lowRank = lowRank
        map = lowRank.map
        let backend = lowRank.a.value.backend
        magnitude = Parameter(backend.empty([map.outputs]), decays: false)
        let norms = Self.rowNorms(map.weight.value.floats, columns: map.inputs)
        norms.withUnsafeBytes { backend.upload($0, to: magnitude.value) }
    }

    var parameters: ParameterTree { ["lora_A.weight": lowRank.a, "lora_B.weight": lowRank.b, "magnitude": magnitude] }

    func apply(to x: Tensor, base: (Tensor) -> Tensor) -> Tensor {
        var y = lowRank.apply(to: x) { linear($0, weight: map.weight.tensor) }
        let inverse = Self.rowNorms(sum.floats, columns: map.inputs).map { 1 / max($0, 1e-30) }
        let factors = multiplied(magnitude.tensor, Tensor(inverse, shape: magnitude.shape, on: x.backend))
        y = scaledColumns(y, by: factors)
        guard let bias = map.bias else { return y }
        return addedRow(y, bias.tensor)
    }

    /// W + scale · B A.
    private var sum: Tensor {
        let result = magnitude.value.backend.empty(map.weight.shape)
        result.backend.convert(map.weight.value, into: result)
        lowRank.addProduct(to: result)
        return result
    }

    var merged: [Float] {
        var values = sum.floats
        let norms = Self.rowNorms(values, columns: map.inputs)
        let magnitudes = magnitude.value.floats
        for row in norms.indices {
            let factor = magnitudes[row] / max(norms[row], 1e-30)
            for index in row * map.inputs..<(row + 1) * map.inputs { values[index] *= factor }
        }
        return values
    }

    static func rowNorms(_ values: [Float], columns: Int) -> [Float] {
        values.withUnsafeBufferPointer { buffer in
            (0..<buffer.count / max(1, columns)).map { row in
                var sum = 0.0
                for index in row * columns..<(row + 1) * columns {
                    sum += Double(buffer[index]) * Double(buffer[index])
                }
                return Float(sum.squareRoot())
            }
        }
    }
}

/// x + row for every row; gradients: dx = dy, drow = Σ_rows dy.
private func addedRow(_ x: Tensor, _ row: Tensor) -> Tensor {
    let backend = x.backend
    let y = backend.empty(x.shape)
    let ones = backend.empty(x.shape)
    backend.fill(ones, 1)
    backend.copy(x, into: y)
    backend.scaleColumns(ones.matrix, by: row, into: y.matrix, accumulate: true)
    let (xNode, rowNode) = (x.node, row.node)
    return y.recorded(from: [xNode, rowNode]) { gradient in
        rowNode?.accumulate { backend.sumRows(gradient.matrix, nil, into: $0, accumulate: $1) }
        xNode?.accept(gradient)
    }
}
