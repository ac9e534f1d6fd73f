import Basics
import CPUBackend

/// What this machine offers, in names and values.
enum MachineFacts {
    static func read() -> [(name: String, value: String)] {
        var facts: [(name: String, value: String)] = [("vitrail", "0.1.0")]
        if let model = cpuField("model name") { facts.append(("processor", model)) }
        facts.append(("cores", String(Parallel.processors)))
        if let line = try? Files.readText("/proc/meminfo").split(separator: "\n").first,
            let kibibytes = Int(line.split(separator: " ").dropFirst().first ?? "")
        {
            facts.append(("memory", Formatting.bytes(kibibytes * 1_024)))
        }
        let flags = Set((cpuField("flags") ?? "").split(separator: " ").map(String.init))
        let sets = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"].filter(flags.contains)
        facts.append(("instructions", sets.isEmpty ? "baseline" : sets.joined(separator: ", ")))
        let backend = CPUBackend(threads: nil)
        facts.append(("back end", "\(backend.name), \(backend.threads.counted("thread")), \(backend.instructionSet)"))
        return facts
    }

    private static func cpuField(_ name: String) -> String? {
        guard let text = try? Files.readText("/proc/cpuinfo") else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) }
    }
}
