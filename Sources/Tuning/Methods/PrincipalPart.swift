import Basics

/// The best approximation of a matrix by one of low rank, left · right, each with the root of the singular values.
///
/// Subspace iteration with a few columns more than asked for (Halko et al. 2011), in double.
struct PrincipalPart {
    /// `[rows, rank]`.
    var left: [Double]
    /// `[rank, columns]`.
    var right: [Double]

    init(_ values: [Float], rows: Int, columns: Int, rank: Int, iterations: Int = 12) {
        let width = min(rank + 8, min(rows, columns))
        let kept = min(rank, width)
        var generator = RandomGenerator(seed: 0x5EED)
        // q: [width][columns], orthonormal rows.
        var q = (0..<width).map { _ in (0..<columns).map { _ in generator.normal() } }
        Self.orthonormalize(&q)
        var image = Self.apply(values, rows, columns, q)  // [width][rows]
        for _ in 0..<iterations {
            Self.orthonormalize(&image)
            q = Self.applyTransposed(values, rows, columns, image)
            Self.orthonormalize(&q)
            image = Self.apply(values, rows, columns, q)
        }
        // image = W qᵀ, `[width][rows]`; its own singular vectors follow from the small Gram matrix.
        var gram = (0..<width).map { i in
            (0..<width).map { j in zip(image[i], image[j]).reduce(0) { $0 + $1.0 * $1.1 } }
        }
        let vectors = Self.jacobi(&gram)
        let order = (0..<width).sorted { gram[$0][$0] > gram[$1][$1] }.prefix(kept)
        left = [Double](repeating: 0, count: rows * rank)
        right = [Double](repeating: 0, count: rank * columns)
        for (place, index) in order.enumerated() {
            let singular = max(gram[index][index], 0).squareRoot()
            guard singular > 0 else { continue }
            let root = singular.squareRoot()
            for i in 0..<width {
                let share = vectors[i][index]
                for row in 0..<rows { left[row * rank + place] += share * image[i][row] / singular * root }
                for column in 0..<columns { right[place * columns + column] += share * q[i][column] * root }
            }
        }
    }

    private static func apply(_ w: [Float], _ rows: Int, _ columns: Int, _ q: [[Double]]) -> [[Double]] {
        q.map { vector in
            w.withUnsafeBufferPointer { w in
                vector.withUnsafeBufferPointer { vector in
                    (0..<rows).map { row in
                        var sum = 0.0
                        for column in 0..<columns { sum += Double(w[row * columns + column]) * vector[column] }
                        return sum
                    }
                }
            }
        }
    }

    private static func applyTransposed(_ w: [Float], _ rows: Int, _ columns: Int, _ p: [[Double]]) -> [[Double]] {
        p.map { vector in
            var result = [Double](repeating: 0, count: columns)
            w.withUnsafeBufferPointer { w in
                result.withUnsafeMutableBufferPointer { result in
                    for row in 0..<rows {
                        let factor = vector[row]
                        for column in 0..<columns { result[column] += factor * Double(w[row * columns + column]) }
                    }
                }
            }
            return result
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
