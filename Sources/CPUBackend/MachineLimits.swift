import CKernels

/// What this machine gives at most, measured: the floors of every other figure.
public struct MachineLimits: Sendable {
    /// Bytes a second that the threads read from memory together.
    public let readBandwidth: Double
    /// Operations a second of large matrix products, by precision.
    public let productRates: [ProductPrecision: Double]
    /// Operations a second of multiplications that never leave the registers: what the processor itself allows. None where the instruction
    /// set in use has no such multiplication.
    public let registerRates: [RegisterNumber: Double]

    /// What is multiplied in registers.
    public enum RegisterNumber: String, Sendable, CaseIterable {
        case float32, bfloat16
        /// Eight bits, as products with quantised weights take them.
        case bytes

        var kernelNumber: vitrail_register_number {
            switch self {
            case .float32: VITRAIL_REGISTERS_FLOAT32
            case .bfloat16: VITRAIL_REGISTERS_BFLOAT16
            case .bytes: VITRAIL_REGISTERS_BYTES
            }
        }
    }

    /// Measures memory, products of 1024³ in the precisions asked for, and registers, on the back end's threads: about half a second each.
    public init(of backend: CPUBackend, precisions: [ProductPrecision] = ProductPrecision.allCases) {
        let probe = MemoryProbe(of: backend)
        readBandwidth = (0..<7).map { _ in probe.bandwidth(sweeps: 1) }.max() ?? 0
        var rates: [ProductPrecision: Double] = [:]
        for precision in precisions {
            var arguments = vitrail_product_args()
            (arguments.m, arguments.n, arguments.k) = (1_024, 1_024, 1_024)
            arguments.transpose_b = true
            arguments.precision = precision == .bfloat16 ? VITRAIL_BFLOAT16 : VITRAIL_FLOAT32
            rates[precision] = vitrail_product_gflops(backend.pool, &arguments, 0.4) * 1e9
        }
        productRates = rates
        registerRates = RegisterNumber.allCases.reduce(into: [:]) { rates, number in
            let rate = vitrail_register_rate(backend.pool, number.kernelNumber, 0.2)
            if rate > 0 { rates[number] = rate }
        }
    }

    /// Seconds that work of so many operations and bytes takes at least: whichever of the two is slower.
    public func floor(operations: Double, bytes: Double, precision: ProductPrecision = .float32) -> Double {
        let rate = productRates[precision, default: 0]
        return max(
            rate > 0 ? operations / rate : 0, readBandwidth > 0 ? bytes / readBandwidth : 0)
    }
}
