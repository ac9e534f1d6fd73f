public import TensorCore

/// What a kernel is for, as a profile adds them up.
public enum KernelKind: String, Sendable, CaseIterable {
    case products
    /// A token's way through all blocks and the head at once.
    case decoder
    case attention
    case norms
    case activations
    case elementwise
    case rows
    case losses
    case optimizer
    case adapters
    case memory
}

/// Forwards to another back end and adds up the time of every kind of kernel, and which products there were.
///
/// Kernels return when they are done on the CPU, so the clock around a call is the kernel's time. What a step takes beyond the sum
/// is the host's own work: the graph, allocation, packing of batches.
public final class MeasuringBackend: Backend {
    let base: any Backend
    /// Seconds by kind since the last `reset()`.
    public private(set) var seconds: [KernelKind: Double] = [:]
    /// Calls by kind since the last `reset()`.
    public private(set) var calls: [KernelKind: Int] = [:]
    /// Products by form since the last `reset()`, and how often each was asked for.
    public private(set) var products: [ProductForm: Int] = [:]
    /// Operations of low-rank products since the last `reset()`: two for each term of a sum.
    public private(set) var lowRankOperations = 0.0

    /// Whether calls are timed; otherwise they are only passed on.
    public var isMeasuring = false

    /// Measures what `base` does.
    public init(_ base: any Backend) { self.base = base }

    /// The measured back end's name.
    public var name: String { base.name }
    /// The measured back end's threads.
    public var threads: Int { base.threads }

    /// Seconds of all kernels since the last `reset()`.
    public var total: Double { KernelKind.allCases.reduce(0) { $0 + seconds[$1, default: 0] } }

    /// Kinds with their seconds and calls, the longest first; `host` is what is left of `total` seconds.
    ///
    /// - Parameter count: how often the work was done; figures are those of one time.
    func parts(of total: Double, count: Int = 1) -> [(name: String, seconds: Double, calls: Int)] {
        var parts = KernelKind.allCases.map {
            (name: $0.rawValue, seconds: seconds[$0, default: 0] / Double(count), calls: calls[$0, default: 0] / count)
        }
        parts.append((name: "host", seconds: max(0, total - self.total) / Double(count), calls: 1))
        return parts.filter { $0.calls > 0 }.sorted { $0.seconds > $1.seconds }
    }

    /// Starts over.
    public func reset() {
        seconds = [:]
        calls = [:]
        products = [:]
        lowRankOperations = 0
    }

    func timed<Result>(_ kind: KernelKind, _ kernel: () -> Result) -> Result {
        guard isMeasuring else { return kernel() }
        let start = ContinuousClock.now
        defer {
            seconds[kind, default: 0] += (ContinuousClock.now - start) / .seconds(1)
            calls[kind, default: 0] += 1
        }
        return kernel()
    }

    /// The measured back end's threads. Not while calls are timed: they are those of all threads together.
    public func sideBySide(_ count: Int, reading weights: [Tensor], _ body: @Sendable (Int) -> Void) {
        precondition(!isMeasuring, "a clock around a kernel wants all threads in it")
        base.sideBySide(count, reading: weights, body)
    }

    /// As the measured back end does.
    public var dividesSmallSteps: Bool { base.dividesSmallSteps }

    /// Memory of the measured back end; the tensor's back end is this one, so that operations come back here.
    public func allocate(byteCount: Int) -> Storage {
        let inner = base.allocate(byteCount: byteCount)
        return Storage(pointer: inner.pointer, byteCount: inner.byteCount, backend: self) { _ in
            withExtendedLifetime(inner) {}
        }
    }

    /// The measured back end's.
    public var factorType: DType { base.factorType }
    /// The measured back end's.
    public var attentionTakesFactors: Bool { base.attentionTakesFactors }
    /// The measured back end's.
    public var streamedRows: Int { base.streamedRows }

    /// Forwards, and notes the product's form.
    public func linearMap(
        _ x: Matrix, weight: Matrix, bias: Tensor?, addend: Matrix?, activation: Activation?, into y: Matrix
    ) {
        note(
            ProductForm(
                rows: y.rows, columns: y.columns, terms: x.columns, transposeA: false, transposeB: true,
                accumulates: false, left: x.dtype, right: weight.dtype, result: y.dtype))
        timed(.products) {
            base.linearMap(x, weight: weight, bias: bias, addend: addend, activation: activation, into: y)
        }
    }

    /// Forwards, and notes the product's form.
    public func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool
    ) {
        note(ProductCall(a, transposeA: transposeA, b, transposeB: transposeB, into: c, accumulate: accumulate))
        timed(.products) {
            base.product(
                a, transposeA: transposeA, b, transposeB: transposeB, alpha: alpha, bias: bias, into: c,
                accumulate: accumulate)
        }
    }

    /// Forwards, and notes the products' forms: they count as one call.
    public func products(_ calls: [ProductCall]) {
        for call in calls { note(call) }
        timed(.products) { base.products(calls) }
    }

    private func note(_ call: ProductCall) {
        note(
            ProductForm(
                rows: call.c.rows, columns: call.c.columns, terms: call.transposeA ? call.a.rows : call.a.columns,
                transposeA: call.transposeA, transposeB: call.transposeB, accumulates: call.accumulate,
                left: call.a.dtype, right: call.b.dtype, result: call.c.dtype))
    }

    func note(_ form: ProductForm) {
        if isMeasuring { products[form, default: 0] += 1 }
    }

    func noteLowRank(terms: Int) {
        if isMeasuring { lowRankOperations += 2 * Double(terms) }
    }
}
