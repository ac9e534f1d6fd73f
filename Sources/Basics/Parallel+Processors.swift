#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension Parallel {
    /// The number of processors that this process may keep busy: those it may run on, and no more than its container's share of time.
    public static let processors = max(1, min(runnable, quota(under: "/") ?? .max))

    /// Processors of the affinity mask, which `taskset` and container managers narrow.
    private static var runnable: Int {
        #if canImport(Glibc)
            // Declared for _GNU_SOURCE only, which Swift's Glibc module does not set.
            typealias GetAffinity = @convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> Int32
            if let symbol = dlsym(nil, "sched_getaffinity") {
                var set = [UInt64](repeating: 0, count: 128)
                let result = unsafeBitCast(symbol, to: GetAffinity.self)(0, set.count * 8, &set)
                let count = set.reduce(0) { $0 + $1.nonzeroBitCount }
                if result == 0, count > 0 { return count }
            }
        #endif
        return max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// Processors' worth of time that the control groups of this process allow, rounded up; nil where there is no limit.
    ///
    /// A group's own limit and those of the groups around it all hold, so the smallest counts. Version 2 keeps `cpu.max` ("quota
    /// period"), version 1 `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
    ///
    /// - Parameter root: where `/proc` and `/sys` lie; another folder in tests.
    package static func quota(under root: String) -> Int? {
        guard let groups = text(root + "/proc/self/cgroup") else { return nil }
        var smallest: Double?
        for line in groups.split(separator: "\n") {
            // hierarchy:controllers:path, of version 2 with 0 and no controllers.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isSecond = fields[0] == "0" && fields[1].isEmpty
            guard isSecond || fields[1].split(separator: ",").contains("cpu") else { continue }
            let base = root + "/sys/fs/cgroup" + (isSecond ? "" : "/cpu")
            var path = fields[2].split(separator: "/")
            // Inside a container the path may be that of the host, which is not there; its own group is then the root.
            while true {
                let folder = base + path.map { "/" + $0 }.joined()
                if let limit = isSecond ? second(folder) : first(folder) {
                    smallest = min(smallest ?? limit, limit)
                }
                if path.isEmpty { break }
                path.removeLast()
            }
        }
        return smallest.map { max(1, Int($0.rounded(.up))) }
    }

    private static func second(_ folder: String) -> Double? {
        let fields = text(folder + "/cpu.max")?.split { $0 == " " || $0 == "\n" } ?? []
        guard fields.count == 2 else { return nil }
        return share(Double(fields[0]), Double(fields[1]))
    }

    private static func first(_ folder: String) -> Double? {
        func number(_ name: String) -> Double? { text(folder + name).flatMap { Double($0.prefix { $0 != "\n" }) } }
        return share(number("/cpu.cfs_quota_us"), number("/cpu.cfs_period_us"))
    }

    /// Quota over period, where both are numbers above zero: "max" and -1 mean no limit.
    private static func share(_ quota: Double?, _ period: Double?) -> Double? {
        guard let quota, let period, quota > 0, period > 0, quota / period < 65_536 else { return nil }
        return quota / period
    }

    /// A small file's text, nil where it is not there.
    private static func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
