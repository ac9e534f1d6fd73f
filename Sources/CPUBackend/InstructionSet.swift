import CKernels

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which vector instructions the kernels use: the processor's best, or less when the environment asks for it.
enum InstructionSet {
    /// The name of the level in use, such as "avx512-bf16".
    static var name: String { String(cString: vitrail_cpu_level_name(vitrail_cpu())) }

    /// Reads `VITRAIL_CPU` once: the name of the highest level to use, so that one machine can test the kernels of
    /// others. An unknown name changes nothing.
    static let applyEnvironment: Void = {
        guard let wanted = ProcessInfo.processInfo.environment["VITRAIL_CPU"] else { return }
        for level in VITRAIL_CPU_BASELINE.rawValue...VITRAIL_CPU_AMX.rawValue
        where String(cString: vitrail_cpu_level_name(vitrail_cpu_level(level))) == wanted {
            vitrail_cpu_limit(vitrail_cpu_level(level))
        }
    }()
}
