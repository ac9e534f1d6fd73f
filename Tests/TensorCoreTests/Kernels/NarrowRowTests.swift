import CPUBackend
import ReferenceBackend
import TensorCore
import TestSupport
import Testing

/// Left operands in bfloat16 whose rows may be read where they lie, with every number of rows that a last group can have, and what follows
/// a product while its sums are in registers.
@Suite struct NarrowRowTests {
    /// Terms of one and several blocks, of rows that lie a multiple of 4 KiB apart, and of more than one visit to the results.
    @Test(arguments: [1, 4], [32, 96, 2_048, 3_168])
    func rowsAsTheyLie(_ threads: Int, _ terms: Int) {
        let backend = CPUBackend(threads: threads, products: .bfloat16)
        let reference = ReferenceBackend()
        for rows in Array(129..<144) + [170] where terms < 1_000 || rows % 5 == 0 {
            for columns in [32, 70] {
                func map(_ backend: any Backend, activation: Activation?, addend: Bool, narrow: Bool) -> [Float] {
                    var numbers = NumberStream(seed: 33)
                    let x = numbers.tensor([rows, terms], .bfloat16, scale: 0.1, on: backend)
                    let weight = numbers.tensor([columns, terms], .bfloat16, on: backend)
                    let bias = numbers.tensor([columns], on: backend)
                    let residual = numbers.tensor([rows, columns], on: backend)
                    let y = backend.empty([rows, columns], narrow ? .bfloat16 : .float32)
                    backend.linearMap(
                        x.matrix, weight: weight.matrix, bias: bias, addend: addend ? residual.matrix : nil,
                        activation: activation, into: y.matrix)
                    return y.floats
                }
                for (activation, addend, narrow) in [
                    (nil, false, false), (nil, true, false), (nil, true, true), (Activation.gelu, false, true),
                ] {
                    expectClose(
                        map(backend, activation: activation, addend: addend, narrow: narrow),
                        map(reference, activation: activation, addend: addend, narrow: narrow),
                        // A sum next to the middle between two bfloat16 numbers may fall to either.
                        narrow ? .ofScale(4e-3) : .forward,
                        "\(rows) × \(columns) × \(terms), activated \(activation != nil), added \(addend), narrow \(narrow)"
                    )
                }
            }
        }
    }
}
