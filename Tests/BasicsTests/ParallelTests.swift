import Basics
import Synchronization
import TestSupport
import Testing

@Suite("Parallel work")
struct ParallelTests {
    struct Failure: Error, Equatable { let item: Int }

    @Test(arguments: [1, 2, 7, 100])
    func resultsKeepTheirOrder(workers: Int) throws {
        for count in [0, 1, 5, 1000] {
            let items = Array(0..<count)
            #expect(try Parallel.map(items, workers: workers) { $0 * $0 } == items.map { $0 * $0 })
        }
    }

    @Test func theFirstFailureIsThrown() {
        for _ in 0..<50 {
            #expect(throws: Failure(item: 13)) {
                try Parallel.map(Array(0..<200), workers: 4) { item in
                    if item >= 13 { throw Failure(item: item) }
                    return item
                }
            }
        }
    }

    @Test func workersAreBounded() throws {
        let state = Mutex((running: 0, most: 0))
        try Parallel.forEach(200, workers: 3) { _ in
            state.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
            }
            var sum = 0
            for value in 0..<20_000 { sum &+= value }
            state.withLock { $0.running -= sum == -1 ? 0 : 1 }
        }
        #expect((1...3).contains(state.withLock { $0.most }))
        #expect(state.withLock { $0.running } == 0)
    }

    @Test func processorsAreCounted() {
        #expect(Parallel.processors >= 1)
    }

    /// What a container manager writes, in both versions of control groups: the narrowest of all groups around the process.
    @Test(arguments: [
        ("0::/", ["": "max 100000"], nil),
        ("0::/", ["": "200000 100000"], 2),
        ("0::/a/b", ["/a": "150000 100000", "/a/b": "max 100000"], 2),
        ("0::/not/there", ["": "50000 100000"], 1),
        ("4:cpu,cpuacct:/", ["/cpu": "-1 100000"], nil),
        ("9:memory:/x\n4:cpu,cpuacct:/job\n0::/", ["/cpu": "-1 100000", "/cpu/job": "350000 100000"], 4),
        ("", [:], nil), ("0::/", ["": "nonsense"], nil), ("0::/", ["": "0 0"], nil),
    ])
    func quotasAreRead(groups: String, limits: [String: String], cores: Int?) throws {
        try withTemporaryFolder { folder in
            try Files.createDirectory(folder + "/proc/self")
            try Files.write(groups + "\n", to: folder + "/proc/self/cgroup")
            for (group, limit) in limits {
                let path = folder + "/sys/fs/cgroup" + group
                try Files.createDirectory(path)
                let numbers = limit.split(separator: " ")
                if group.hasPrefix("/cpu") {
                    try Files.write("\(numbers[0])\n", to: path + "/cpu.cfs_quota_us")
                    try Files.write("\(numbers[1])\n", to: path + "/cpu.cfs_period_us")
                } else {
                    try Files.write(limit + "\n", to: path + "/cpu.max")
                }
            }
            #expect(Parallel.quota(under: folder) == cores)
        }
    }
}
