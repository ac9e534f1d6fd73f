import Basics
import CKernels

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Which vector instructions the kernels use: the processor's best, or less when the environment asks for it.
public enum InstructionSet {
    /// The variable that names the highest level to use, so that one machine can test the kernels of others.
    static let variable = "VITRAIL_CPU"

    /// The name of the level in use, such as "avx512-bf16".
    static var name: String { String(cString: vitrail_cpu_level_name(vitrail_cpu())) }

    private static let levels = (VITRAIL_CPU_BASELINE.rawValue...VITRAIL_CPU_AMX.rawValue).map { raw in
        let level = vitrail_cpu_level(raw)
        return (name: String(cString: vitrail_cpu_level_name(level)), level: level)
    }

    private static let wanted = ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }

    /// - Throws: `UserError` when the environment names a level that does not exist, which ``CPUBackend`` passes over.
    public static func checkEnvironment() throws {
        guard let wanted, !levels.contains(where: { $0.name == wanted }) else { return }
        throw UserError(
            "\(variable): there is no instruction set \"\(wanted)\"",
            fix: Suggestion.fix(for: wanted, among: levels.map(\.name)))
    }

    /// Reads the environment once.
    static let applyEnvironment: Void = {
        for level in levels where level.name == wanted { vitrail_cpu_limit(level.level) }
    }()
}
