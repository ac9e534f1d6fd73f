import Basics
package import TensorCore

/// The largest singular values of a matrix with their vectors.
///
/// Subspace iteration with a few columns more than asked for (Halko et al. 2011); products on the back end, the rest in double.
package struct PrincipalPart {
    /// The largest first, `[rank]`.
    package var singularValues: [Double]
    /// Orthonormal columns, `[rows, rank]`.
    package var leftVectors: [Float]
    /// Orthonormal columns, `[columns, rank]`.
    package var rightVectors: [Float]

    package init(_ matrix: Tensor, rank: Int, iterations: Int = 12) {
        let (rows, columns) = (matrix.shape[0], matrix.shape[1])
        let width = min(rank + 8, min(rows, columns))
        let kept = min(rank, width)
        let backend = matrix.backend
        func times(_ vectors: [[Double]], transposed: Bool) -> [[Double]] {
            let length = transposed ? columns : rows
            let flat = Tensor(
                vectors.flatMap { $0.map { Float($0) } }, shape: [vectors.count, vectors[0].count], on: backend)
            let result = backend.empty([vectors.count, length])
            backend.product(
                flat.matrix, transposeA: false, matrix.matrix, transposeB: !transposed, alpha: 1, bias: nil,
                into: result.matrix, accumulate: false)
            let values = result.floats
            return vectors.indices.map { i in values[i * length..<(i + 1) * length].map { Double($0) } }
        }
        var generator = RandomGenerator(seed: 0x5EED)
        // Rows of q are orthonormal, `[width][columns]`.
        var q = (0..<width).map { _ in (0..<columns).map { _ in generator.normal() } }
        Self.orthonormalize(&q)
        var image = times(q, transposed: false)
        for _ in 0..<iterations {
            Self.orthonormalize(&image)
            q = times(image, transposed: true)
            Self.orthonormalize(&q)
            image = times(q, transposed: false)
        }
        // The singular vectors of the image follow from its small Gram matrix.
        var gram = (0..<width).map { i in
            (0..<width).map { j in zip(image[i], image[j]).reduce(0) { $0 + $1.0 * $1.1 } }
        }
        let vectors = Self.jacobi(&gram)
        let order = (0..<width).sorted { gram[$0][$0] > gram[$1][$1] }.prefix(kept)
        singularValues = [Double](repeating: 0, count: rank)
        leftVectors = [Float](repeating: 0, count: rows * rank)
        rightVectors = [Float](repeating: 0, count: columns * rank)
        for (place, index) in order.enumerated() {
            let singular = max(gram[index][index], 0).squareRoot()
            guard singular > 0 else { continue }
            singularValues[place] = singular
            var left = [Double](repeating: 0, count: rows)
            var right = [Double](repeating: 0, count: columns)
            for i in 0..<width {
                let share = vectors[i][index]
                for row in 0..<rows { left[row] += share * image[i][row] / singular }
                for column in 0..<columns { right[column] += share * q[i][column] }
            }
            for row in 0..<rows { leftVectors[row * rank + place] = Float(left[row]) }
            for column in 0..<columns { rightVectors[column * rank + place] = Float(right[column]) }
        }
    }

    /// Modified Gram–Schmidt, twice.
    private static func orthonormalize(_ vectors: inout [[Double]]) {
        for _ in 0..<2 {
            for i in vectors.indices {
                for j in 0..<i {
                    let dot = zip(vectors[i], vectors[j]).reduce(0) { $0 + $1.0 * $1.1 }
                    for k in vectors[i].indices { vectors[i][k] -= dot * vectors[j][k] }
                }
                let norm = vectors[i].reduce(0) { $0 + $1 * $1 }.squareRoot()
                guard norm > 0 else { continue }
                for k in vectors[i].indices { vectors[i][k] /= norm }
            }
        }
    }

    /// Eigenvectors, as columns, of a small symmetric matrix, which becomes diagonal (cyclic Jacobi).
    private static func jacobi(_ a: inout [[Double]]) -> [[Double]] {
        let n = a.count
        var v = (0..<n).map { i in (0..<n).map { $0 == i ? 1.0 : 0.0 } }
        for _ in 0..<30 {
            var off = 0.0
            for p in 0..<n { for q in 0..<n where q != p { off += a[p][q] * a[p][q] } }
            if off < 1e-30 { break }
            for p in 0..<n {
                for q in (p + 1)..<max(n, p + 1) where a[p][q] != 0 {
                    let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                    let t = (theta >= 0 ? 1.0 : -1.0) / (theta.magnitude + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot()
                    let s = t * c
                    for k in 0..<n {
                        let (x, y) = (a[k][p], a[k][q])
                        (a[k][p], a[k][q]) = (c * x - s * y, s * x + c * y)
                    }
                    for k in 0..<n {
                        let (x, y) = (a[p][k], a[q][k])
                        (a[p][k], a[q][k]) = (c * x - s * y, s * x + c * y)
                        let (vx, vy) = (v[k][p], v[k][q])
                        (v[k][p], v[k][q]) = (c * vx - s * vy, s * vx + c * vy)
                    }
                }
            }
        }
        return v
    }
}
