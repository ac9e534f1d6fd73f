import Basics
import CKernels
import Synchronization
public import TensorCore

/// How the factors of products are rounded; sums are always taken in float32.
public enum ProductPrecision: String, Sendable, CaseIterable {
    case float32
    /// Float32 factors are rounded to bfloat16 (nearest even) while they are read.
    case bfloat16
}

/// The kernels on the processor's own cores: vector loops in C for the instruction set at hand, one pool of threads.
///
/// The number of threads fixes how sums are divided, so equal threads give equal bits.
public final class CPUBackend: Backend {
    /// "cpu".
    public let name = "cpu"
    /// How factors are rounded.
    public let products: ProductPrecision
    /// Number of threads that kernels run on, the caller's included.
    public let threads: Int
    /// Most bytes of tensors; nil for no limit.
    public let memoryLimit: Int?

    /// Name of the vector instructions in use, such as "avx512-bf16".
    public var instructionSet: String { InstructionSet.name }

    let pool: OpaquePointer?
    /// What products side by side share of weights.
    let packedWeights: OpaquePointer?
    let memory: BlockCache
    var regroupedMemory: RegroupedMemory
    /// Held while regrouped weights are looked up or made.
    let regrouping = Mutex(())

    /// A back end with threads and memory of its own.
    ///
    /// - Parameter threads: number of threads; all cores that the process may use when nil, no more than its container's quota.
    /// - Parameter products: how factors are rounded.
    /// - Parameter pinsThreads: whether each thread but the caller's keeps to one core.
    /// - Parameter memoryLimit: most bytes of tensors; a request beyond ends the process with an error. Nil for no limit.
    public init(
        threads: Int? = nil, products: ProductPrecision = .float32, pinsThreads: Bool = false, memoryLimit: Int? = nil
    ) {
        precondition(threads.map { $0 > 0 } ?? true, "a back end runs on one thread or more")
        InstructionSet.applyEnvironment
        self.products = products
        pool = vitrail_pool_create(Int32(clamping: threads ?? Parallel.processors), pinsThreads)
        packedWeights = vitrail_packed_weights_create()
        self.threads = Int(vitrail_pool_threads(pool))
        self.memoryLimit = memoryLimit
        memory = BlockCache(limit: memoryLimit)
        regroupedMemory = RegroupedMemory(memory)
    }

    deinit {
        vitrail_pool_destroy(pool)
        vitrail_packed_weights_destroy(packedWeights)
    }

    /// Without tiles: with them it has not been measured.
    public var dividesSmallSteps: Bool { vitrail_cpu() != VITRAIL_CPU_AMX }

    /// On the threads of the pool; those that are done first take parts of the others' kernels. Weights are packed for products once.
    public func sideBySide(_ count: Int, reading weights: [Tensor], _ body: @Sendable (Int) -> Void) {
        let spans = weights.map { vitrail_span(data: $0.floatPointer, count: $0.count) }
        guard let packedWeights, vitrail_packed_weights_begin(packedWeights, spans, spans.count) else {
            return sideBySide(count, body)
        }
        nonisolated(unsafe) let packed = packedWeights
        sideBySide(count) {
            vitrail_packed_weights_use(packed)
            body($0)
            vitrail_packed_weights_use(nil)
        }
        vitrail_packed_weights_end(packedWeights)
    }

    private func sideBySide(_ count: Int, _ body: @Sendable (Int) -> Void) {
        typealias Body = @Sendable (Int) -> Void
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { pointer in
                vitrail_pool_run_side_by_side(
                    pool, { context, part, _ in context?.assumingMemoryBound(to: Body.self).pointee(Int(part)) },
                    UnsafeMutableRawPointer(mutating: pointer), Int32(count))
            }
        }
    }

    /// Runs the kernels that `body` calls on the calling thread alone, on every back end: several threads that each do so compute
    /// side by side, without waiting for each other. While nobody else does so, a kernel takes all threads.
    public static func onThisThread<Result>(_ body: () throws -> Result) rethrows -> Result {
        vitrail_pool_keep_alone(true)
        defer { vitrail_pool_keep_alone(false) }
        return try body()
    }
}

extension Matrix {
    /// The window as the kernels take it.
    var window: vitrail_matrix {
        vitrail_matrix(data: floatPointer, rows: rows, columns: columns, stride: rowStride, is_bfloat16: false)
    }

    /// The window for kernels that take bfloat16 as well.
    var eitherWindow: vitrail_matrix {
        precondition(dtype == .float32 || dtype == .bfloat16, "float32 or bfloat16 expected, found \(dtype)")
        return vitrail_matrix(
            data: pointer.assumingMemoryBound(to: Float.self), rows: rows, columns: columns, stride: rowStride,
            is_bfloat16: dtype == .bfloat16)
    }
}

extension DType {
    /// The kernels' number for it.
    var kernelType: vitrail_dtype { vitrail_dtype(UInt32(rawValue)) }

    /// What few rows are multiplied by, of a form in blocks.
    var blockFormat: vitrail_weight_format {
        vitrail_weight_format(
            VITRAIL_WEIGHTS_INT4.rawValue + (kernelType.rawValue - VITRAIL_DTYPE_INT4_BLOCKS.rawValue))
    }

    /// What any number of rows are multiplied by, of a form in blocks.
    var blockGroups: vitrail_element {
        vitrail_element(VITRAIL_INT4_GROUPS.rawValue + (kernelType.rawValue - VITRAIL_DTYPE_INT4_BLOCKS.rawValue))
    }
}

extension Activation {
    /// The kernels' number for it.
    var kernelKind: vitrail_activation_kind {
        switch self {
        case .gelu: VITRAIL_GELU
        case .geluTanh: VITRAIL_GELU_TANH
        case .quickGelu: VITRAIL_QUICK_GELU
        case .silu: VITRAIL_SILU
        case .relu: VITRAIL_RELU
        case .tanh: VITRAIL_TANH
        case .sigmoid: VITRAIL_SIGMOID
        }
    }
}
