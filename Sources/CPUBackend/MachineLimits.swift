import CKernels

/// What this machine gives at most, measured: the floors of every other figure.
public struct MachineLimits: Sendable {
    /// Bytes a second that the threads read from memory together.
    public let readBandwidth: Double
    /// Operations a second of large matrix products, by precision.
    public let productRates: [ProductPrecision: Double]

    /// Measures memory, and products of 1024³ in the precisions asked for, on the back end's threads: about half a second each.
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
    }

    /// Seconds that work of so many operations and bytes takes at least: whichever of the two is slower.
    public func floor(operations: Double, bytes: Double, precision: ProductPrecision = .float32) -> Double {
        let rate = productRates[precision, default: 0]
        return max(
            rate > 0 ? operations / rate : 0, readBandwidth > 0 ? bytes / readBandwidth : 0)
    }
}
