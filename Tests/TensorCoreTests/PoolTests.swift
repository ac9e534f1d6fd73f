import Basics
import CKernels
import Testing

/// Parts of a run, whoever takes them.
@Suite struct PoolTests {
    /// Counts, for every part, how often it ran.
    private static let count: vitrail_task = { context, part, parts in
        let counts = context!.assumingMemoryBound(to: Int32.self)
        counts[Int(part)] += part < parts ? 1 : 1000
    }

    @Test("every part of a run that reads memory is taken once", arguments: [1, 2, 3, 5])
    func reading(threads: Int32) throws {
        let pool = try #require(vitrail_pool_create(threads, false))
        defer { vitrail_pool_destroy(pool) }
        // More blocks than are remembered, in turn and out of turn: what follows a block is only ever asked for.
        let memory = [UInt8](repeating: 1, count: 1 << 18)
        var counts = [Int32](repeating: 0, count: 131)
        memory.withUnsafeBytes { bytes in
            for run in 0..<3000 {
                let parts = [0, 1, 2, 3, 7, 130][run % 6]
                let start = run * 64 % (1 << 17)
                vitrail_pool_run_reading(
                    run % 50 == 49 ? nil : pool, Self.count, &counts, Int32(parts), bytes.baseAddress! + start,
                    run % 7 == 0 ? 0 : 1 << 16)
            }
        }
        let expected = counts.indices.map { part in
            Int32([0, 1, 2, 3, 7, 130].reduce(0) { $0 + (part < $1 ? 500 : 0) })
        }
        #expect(counts == expected)
    }

    /// Kernels that stand side by side: their counts, and the pool.
    private struct Sides {
        var pool: OpaquePointer?
        var counts: UnsafeMutablePointer<Int32>
        var kernels: Int
    }

    @Test("every part of every kernel side by side is taken once, and all are done behind it", arguments: [1, 2, 3, 5])
    func sides(threads: Int32) throws {
        let pool = try #require(vitrail_pool_create(threads, false))
        defer { vitrail_pool_destroy(pool) }
        let width = 17
        let task: vitrail_task = { context, part, parts in
            let sides = context!.assumingMemoryBound(to: Sides.self).pointee
            // The first has much to do, so that the others help it.
            for kernel in 0..<(part == 0 ? 20 : 1) * sides.kernels {
                let own = sides.counts + (Int(part) * 20 * sides.kernels + kernel) * 17
                let count = Int32([17, 1, 5, 0][kernel % 4])
                let inner: vitrail_task = { counts, part, _ in
                    counts!.assumingMemoryBound(to: Int32.self)[Int(part)] += 1
                }
                switch kernel % 3 {
                case 0: vitrail_pool_run(sides.pool, inner, own, count)
                case 1: vitrail_pool_run_dynamic(sides.pool, inner, own, count)
                default: vitrail_pool_run_reading(sides.pool, inner, own, count, nil, 0)
                }
                // What the kernel has written is there when it returns; a fault counts for a thousand.
                for part in 0..<Int(count) where own[part] != 1 { own[part] += 1000 }
            }
        }
        for parts in [1, 2, 4, 7] {
            let kernels = 50
            var counts = [Int32](repeating: 0, count: parts * 20 * kernels * width)
            counts.withUnsafeMutableBufferPointer { buffer in
                var sides = Sides(pool: pool, counts: buffer.baseAddress!, kernels: kernels)
                for _ in 0..<3 {
                    buffer.update(repeating: 0)
                    vitrail_pool_run_side_by_side(pool, task, &sides, Int32(parts))
                }
            }
            var wrong = 0
            for part in 0..<parts {
                for kernel in 0..<20 * kernels {
                    let ran = kernel < (part == 0 ? 20 : 1) * kernels
                    let count = ran ? [17, 1, 5, 0][kernel % 4] : 0
                    let start = (part * 20 * kernels + kernel) * width
                    for place in 0..<width where counts[start + place] != (place < count ? 1 : 0) { wrong += 1 }
                }
            }
            #expect(wrong == 0, "\(parts) parts on \(threads) threads")
        }
    }

    @Test("kernels side by side are cut for all threads, and keep to themselves inside")
    func sidesCutForAllThreads() throws {
        let pool = try #require(vitrail_pool_create(3, false))
        defer { vitrail_pool_destroy(pool) }
        var sides = (pool: pool, seen: (Int32(0), Int32(0)))
        let task: vitrail_task = { context, part, _ in
            typealias Seen = (pool: OpaquePointer, seen: (Int32, Int32))
            let sides = context!.assumingMemoryBound(to: Seen.self)
            guard part == 0 else { return }
            sides.pointee.seen.0 = vitrail_pool_threads(sides.pointee.pool)
            let inner: vitrail_task = { context, part, _ in
                let sides = context!.assumingMemoryBound(to: Seen.self)
                if part == 1 { sides.pointee.seen.1 = vitrail_pool_threads(sides.pointee.pool) }
            }
            vitrail_pool_run_dynamic(sides.pointee.pool, inner, context, 2)
        }
        vitrail_pool_run_side_by_side(pool, task, &sides, 2)
        #expect(sides.seen == (3, 1))
    }

    /// What parts of a phase see: a row of counts that the phase before must have filled.
    private struct Row {
        var before: UnsafeMutablePointer<Int32>?
        var own: UnsafeMutablePointer<Int32>
        var parts: Int32
        var entered: UnsafeMutablePointer<Int32>
    }

    @Test("every part of a phase is taken once, behind all parts of the phase before", arguments: [1, 2, 3, 5])
    func phases(threads: Int32) throws {
        let pool = try #require(vitrail_pool_create(threads, false))
        defer { vitrail_pool_destroy(pool) }
        let task: vitrail_task = { context, part, parts in
            let row = context!.assumingMemoryBound(to: Row.self).pointee
            // A part that finds the phase before undone counts for a thousand.
            let isEarly = row.before.map { before in (0..<7).contains { before[$0] == 0 } } ?? false
            let isEntered = row.entered[Int(vitrail_pool_thread())] == 1
            row.own[Int(part)] += isEarly || !isEntered ? 1000 : 1
            if part == 0 { for rest in Int(parts)..<7 { row.own[rest] += 1 } }
        }
        let enter: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
            context!.assumingMemoryBound(to: Row.self).pointee.entered[Int(vitrail_pool_thread())] += 1
        }
        let count = 40
        for run in 0..<300 {
            let counts = UnsafeMutablePointer<Int32>.allocate(capacity: count * 7)
            let entered = UnsafeMutablePointer<Int32>.allocate(capacity: count * 8)
            let rows = UnsafeMutablePointer<Row>.allocate(capacity: count)
            defer {
                counts.deallocate()
                entered.deallocate()
                rows.deallocate()
            }
            counts.initialize(repeating: 0, count: count * 7)
            entered.initialize(repeating: 0, count: count * 8)
            var phases: [vitrail_phase] = []
            for index in 0..<count {
                let parts = Int32([7, 1, 2, 5, 3][(index + run) % 5])
                rows[index] = Row(
                    before: index == 0 ? nil : counts + (index - 1) * 7, own: counts + index * 7, parts: parts,
                    entered: entered + index * 8)
                phases.append(
                    vitrail_phase(
                        task: task, enter: enter, context: rows + index, parts: parts, memory: counts,
                        bytes: count * 28))
            }
            vitrail_pool_run_phases(pool, phases, Int32(run % 10 == 9 ? 1 : count))
            let expected = run % 10 == 9 ? 7 : count * 7
            let isOnce = (0..<expected).allSatisfy { counts[$0] == 1 }
            #expect(isOnce, "run \(run)")
        }
    }

    @Test("a thread that keeps alone beside another one runs every part itself, the last one has the pool")
    func alone() throws {
        let pool = try #require(vitrail_pool_create(3, false))
        defer { vitrail_pool_destroy(pool) }
        let note: vitrail_task = { context, part, _ in
            context!.assumingMemoryBound(to: UInt64.self)[Int(part)] =
                UInt64(vitrail_pool_thread()) << 32 | UInt64(part)
        }
        let place = Monitor((hasCome: false, mayGo: false))
        let other = try #require(
            WorkerThread {
                vitrail_pool_keep_alone(true)
                place.update { $0.hasCome = true }
                place.wait(until: \.mayGo) { _ in }
                vitrail_pool_keep_alone(false)
            })
        place.wait(until: \.hasCome) { _ in }
        var seen = [UInt64](repeating: .max, count: 100)
        vitrail_pool_keep_alone(true)
        vitrail_pool_keep_alone(true)
        #expect(vitrail_pool_threads(pool) == 1)
        vitrail_pool_run_dynamic(pool, note, &seen, 100)
        vitrail_pool_keep_alone(false)
        #expect(vitrail_pool_threads(pool) == 1, "it says so as often as it began")
        // Thread 0 of every run is its caller; parts are in order where nobody else takes any.
        #expect(seen == (0..<100).map { UInt64($0) })
        place.update { $0.mayGo = true }
        other.join()
        #expect(vitrail_pool_threads(pool) == 1, "within a kernel nothing changes")
        // Threads of other suites may keep alone meanwhile.
        let end = ContinuousClock.now + .seconds(1200)
        while vitrail_pool_threads(pool) == 1, ContinuousClock.now < end { vitrail_pool_look_around() }
        #expect(vitrail_pool_threads(pool) == 3)
        vitrail_pool_keep_alone(false)
        #expect(vitrail_pool_threads(pool) == 3)
    }

    @Test("work beside runs is done once, as far as it is waited for, while runs go on", arguments: [2, 3, 5, 9])
    func background(threads: Int32) throws {
        let pool = try #require(vitrail_pool_create(threads, false))
        defer { vitrail_pool_destroy(pool) }
        let parts = 300
        var counts = [Int32](repeating: 0, count: parts)
        var runs = [Int32](repeating: 0, count: 64)
        try counts.withUnsafeMutableBufferPointer { counts in
            for turn in 0..<200 {
                let context = UnsafeMutableRawPointer(counts.baseAddress!)
                let work = try #require(vitrail_pool_begin(pool, Self.count, context, Int32(parts)))
                #expect(vitrail_pool_begin(pool, Self.count, context, 1) == nil, "there is room for one")
                for waited in stride(from: turn % 7, to: parts, by: 97) {
                    vitrail_pool_run(pool, Self.count, &runs, 64)
                    vitrail_pool_run_dynamic(pool, Self.count, &runs, 64)
                    vitrail_pool_run_reading(pool, Self.count, &runs, 64, nil, 0)
                    vitrail_background_wait(work, Int32(waited))
                    #expect(counts[..<waited].allSatisfy { $0 == turn + 1 })
                }
                vitrail_background_end(work)
                #expect(counts.allSatisfy { $0 == turn + 1 })
            }
        }
        let rounds = (0..<200).reduce(0) { $0 + Array(stride(from: $1 % 7, to: parts, by: 97)).count }
        #expect(runs.allSatisfy { $0 == 3 * rounds })
    }

    @Test("several threads may wait for work beside runs")
    func waiters() throws {
        let pool = try #require(vitrail_pool_create(3, false))
        defer { vitrail_pool_destroy(pool) }
        let parts = 5000
        let counts = UnsafeMutablePointer<Int32>.allocate(capacity: parts)
        counts.initialize(repeating: 0, count: parts)
        defer { counts.deallocate() }
        nonisolated(unsafe) let work = try #require(vitrail_pool_begin(pool, Self.count, counts, Int32(parts)))
        nonisolated(unsafe) let seen = counts
        try Parallel.forEach(8, workers: 8) { thread in
            for part in stride(from: thread, to: parts, by: 8) {
                vitrail_background_wait(work, Int32(part + 1))
                #expect(seen[part] == 1)
            }
        }
        vitrail_background_end(work)
        #expect(UnsafeBufferPointer(start: counts, count: parts).allSatisfy { $0 == 1 })
    }

    @Test func oneThreadHasNoneToLeaveRuns() throws {
        var counts: [Int32] = [0]
        #expect(vitrail_pool_begin(nil, Self.count, &counts, 1) == nil)
        let pool = try #require(vitrail_pool_create(1, false))
        defer { vitrail_pool_destroy(pool) }
        #expect(vitrail_pool_begin(pool, Self.count, &counts, 1) == nil)
        #expect(counts == [0])
    }
}
