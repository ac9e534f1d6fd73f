/// a + b, the residual sum. Both inputs receive the gradient itself, without a copy.
public func + (a: Tensor, b: Tensor) -> Tensor {
    precondition(a.shape == b.shape, "add: shapes \(a.shape) and \(b.shape) differ")
    let sum = a.backend.empty(a.shape)
    a.backend.add(a, b, into: sum)
    let (first, second) = (a.node, b.node)  // not a and b: their memory is not needed any more
    return sum.recorded(from: [first, second]) { gradient in
        first?.accept(gradient)
        second?.accept(gradient)
    }
}

/// factor · x; gradient: factor · dy.
public func scaled(_ x: Tensor, by factor: Float) -> Tensor {
    let backend = x.backend
    let y = backend.empty(x.shape)
    backend.scale(x, by: factor, into: y, accumulate: false)
    let node = x.node
    return y.recorded(from: [node]) { gradient in
        node?.accumulate { backend.scale(gradient, by: factor, into: $0, accumulate: $1) }
    }
}

/// a ⊙ b for equal shapes; gradients: da = dy ⊙ b, db = dy ⊙ a.
public func multiplied(_ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(a.shape == b.shape, "multiply: shapes \(a.shape) and \(b.shape) differ")
    let backend = a.backend
    let y = backend.empty(a.shape)
    backend.multiply(a, b, into: y, accumulate: false)
    return y.recorded(from: [a.node, b.node]) { gradient in
        a.node?.accumulate { backend.multiply(gradient, b, into: $0, accumulate: $1) }
        b.node?.accumulate { backend.multiply(gradient, a, into: $0, accumulate: $1) }
    }
}

/// Every row of x times one vector, `[…, columns]` ⊙ `[columns]`; gradients: dx = dy ⊙ v, dv = Σ_rows dy ⊙ x.
public func scaledColumns(_ x: Tensor, by vector: Tensor) -> Tensor {
    precondition(x.shape.columns == vector.count, "scaleColumns: \(vector.count) factors for \(x.shape)")
    let backend = x.backend
    let y = backend.empty(x.shape)
    backend.scaleColumns(x.matrix, by: vector, into: y.matrix, accumulate: false)
    return y.recorded(from: [x.node, vector.node]) { gradient in
        vector.node?.accumulate { backend.sumRows(gradient.matrix, x.matrix, into: $0, accumulate: $1) }
        x.node?.accumulate { backend.scaleColumns(gradient.matrix, by: vector, into: $0.matrix, accumulate: $1) }
    }
}

/// function(x), element by element; gradient: dy ⊙ function′(x).
///
/// - Parameter asFactor: whether only products read the result, which may then be of the back end's `factorType`.
public func activation(_ function: Activation, _ x: Tensor, asFactor: Bool = false) -> Tensor {
    let backend = x.backend
    let dtype = backend.resultType(of: x.shape, asFactor: asFactor)
    let y = backend.empty(x.shape, dtype)
    backend.activation(function, x, into: y)
    guard let node = x.node else { return y }
    let (argument, shape) = (ActivationArgument(x), x.shape)
    let value = RemadeValue {
        backend.empty(shape, dtype)
    } write: {
        backend.activation(function, argument.tensor, into: $0)
    }
    return y.recorded(from: [node]) { gradient in
        var x = argument.take()
        let again = value.open()
        node.accumulate(over: &x) {
            backend.activationGradient(function, $0, gradient: gradient, into: $1, accumulate: $2, value: again)
        }
    }.withNarrowGradient().remade(by: value)
}

/// function(gate) ⊙ up for gate and up side by side, `[…, 2F]` → `[…, F]` (SwiGLU, Shazeer 2020).
///
/// Gradients: dgate = dy ⊙ up ⊙ function′(gate), dup = dy ⊙ function(gate).
///
/// - Parameter asFactor: whether only products read the result, which may then be of the back end's `factorType`.
public func gatedActivation(_ function: Activation, _ x: Tensor, asFactor: Bool = false) -> Tensor {
    precondition(x.shape.columns % 2 == 0, "gated activation: \(x.shape) has no two halves")
    let backend = x.backend
    let shape = Shape(x.shape.dimensions.dropLast() + [x.shape.columns / 2])
    let dtype = backend.resultType(of: shape, asFactor: asFactor)
    let y = backend.empty(shape, dtype)
    backend.gatedActivation(function, x.matrix, into: y.matrix)
    guard let node = x.node else { return y }
    let argument = ActivationArgument(x)
    let value = RemadeValue {
        backend.empty(shape, dtype)
    } write: {
        backend.gatedActivation(function, argument.tensor.matrix, into: $0.matrix)
    }
    return y.recorded(from: [node]) { gradient in
        var x = argument.take()
        let again = value.open()
        node.accumulate(over: &x) {
            backend.gatedActivationGradient(
                function, $0.matrix, gradient: gradient.matrix, into: $1.matrix, accumulate: $2, value: again?.matrix)
        }
    }.withNarrowGradient().remade(by: value)
}

/// Zeroes elements with probability `rate` and scales the rest by 1/(1−rate) (Srivastava et al. 2014); the mask is a function of `seed`.
public func dropout(_ x: Tensor, rate: Float, seed: UInt64) -> Tensor {
    guard rate > 0 else { return x }
    let backend = x.backend
    let y = backend.empty(x.shape)
    backend.dropout(x, rate: rate, seed: seed, into: y, accumulate: false)
    let node = x.node
    return y.recorded(from: [node]) { gradient in
        node?.accumulate { backend.dropout(gradient, rate: rate, seed: seed, into: $0, accumulate: $1) }
    }
}
