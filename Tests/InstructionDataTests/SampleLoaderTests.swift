import Basics
import Imaging
import InstructionData
import TestSupport
import Testing
import Tokenization

/// Loading: what comes out depends on data, seed and position, never on threads.
@Suite struct SampleLoaderTests {
    /// Ids are the UTF-8 bytes; a picture is its byte count; "broken" text and empty pictures fail.
    struct ByteRecipe: SampleRecipe {
        var spin = false

        func render(
            _ conversation: Conversation, imageCount: Int, sizes: [PixelSize]
        ) throws -> RenderedConversation {
            let text = conversation.turns.map(\.content).joined(separator: "|")
            if text.contains("broken") { throw UserError("this text is broken", fix: "mend it") }
            if spin { for _ in 0..<(text.utf8.reduce(0) { $0 &* 31 &+ Int($1) } & 0xFF) { _ = SHA256.hex(of: "x") } }
            let ids = text.utf8.map(Int32.init)
            return RenderedConversation(
                ids: ids, supervised: ids.map { _ in true },
                imageSpans: (0..<imageCount).map { $0..<($0 + 1) })
        }

        func pixels(ofEncoded bytes: UnsafeRawBufferPointer, name: String) throws -> Pixels {
            guard !bytes.isEmpty else { throw UserError("\(name) is empty", fix: "copy it again") }
            return Pixels(bytes.map(Float.init))
        }
    }

    private func dataset(_ scratch: Scratch, count: Int, broken: Set<Int> = []) throws -> InstructionDataset {
        var lines = ""
        for number in 0..<count {
            let word = broken.contains(number) ? "broken" : "word"
            lines +=
                #"{"id":"r\#(number)","image":"p\#(number % 5).bin","conversations":[{"from":"human","value":"\#(word) \#(number)"},{"from":"gpt","value":"y"}]}"#
                + "\n"
        }
        for number in 0..<5 {
            try scratch.write("p\(number).bin", [UInt8](repeating: UInt8(number), count: number + 1))
        }
        return try InstructionDataset(try scratch.write("data.jsonl", lines))
    }

    private func order(_ dataset: InstructionDataset, seed: UInt64 = 11) throws -> TrainingOrder {
        TrainingOrder(try Mixture([.init(name: dataset.path, count: dataset.count)]), seed: seed)
    }

    private func ids(_ loader: SampleLoader) throws -> [String] {
        var ids: [String] = []
        while let sample = try loader.next() { ids.append("\(sample.position):\(sample.id)") }
        return ids
    }

    @Test(arguments: [1, 2, 3, 8], [1, 2, 64])
    func deliveryIsTheSameForAnyNumberOfWorkers(workers: Int, ahead: Int) throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 60, broken: [7, 30])
        let order = try order(data)
        let source = SampleSource(datasets: [data], recipe: ByteRecipe(spin: true))
        let loader = try SampleLoader(
            source: source, order: order, positions: 0..<120, options: .init(workers: workers, ahead: ahead))
        let expected = (0..<120).compactMap { position -> String? in
            let record = order[position].record
            return [7, 30].contains(record) ? nil : "\(position):r\(record)"
        }
        #expect(try ids(loader) == expected)
        #expect(loader.statistics.samples == 116 && loader.statistics.rejected == 4)
        #expect(loader.nextPosition == 120)
        #expect(try loader.next() == nil)
    }

    @Test func resumeAtEveryPositionGoesOnAsIfNeverStopped() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 13, broken: [4])
        let order = try order(data)
        for policy in [FaultPolicy.skip(limit: 10), .replace(limit: 10)] {
            let source = SampleSource(datasets: [data], recipe: ByteRecipe(), turns: TurnShuffler(seed: 1))
            let options = SampleLoader.Options(workers: 3, ahead: 4, policy: policy)
            let whole = try ids(SampleLoader(source: source, order: order, positions: 0..<39, options: options))
            for stop in 0...39 {
                let first = try SampleLoader(source: source, order: order, positions: 0..<39, options: options)
                var got: [String] = []
                while got.count < stop, let sample = try first.next() { got.append("\(sample.position):\(sample.id)") }
                let rest = try SampleLoader(
                    source: source, order: order, positions: first.nextPosition..<39, options: options)
                #expect(try got + ids(rest) == whole)
            }
        }
    }

    @Test func failStopsAtTheFirstBrokenRecordWithItsLine() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 10, broken: [6])
        let loader = try SampleLoader(
            source: SampleSource(datasets: [data], recipe: ByteRecipe()), order: try order(data), positions: 0..<10,
            options: .init(policy: .fail))
        let error = #expect(throws: UserError.self) { while try loader.next() != nil {} }
        #expect(error?.problem == "\(data.path):7: this text is broken")
        #expect(error?.fix == "mend it")
        #expect(throws: UserError.self) { try loader.next() }
    }

    @Test func skipStopsAboveItsLimit() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 10, broken: [1, 2, 3])
        let source = SampleSource(datasets: [data], recipe: ByteRecipe())
        let enough = try SampleLoader(
            source: source, order: try order(data), positions: 0..<10, options: .init(policy: .skip(limit: 3)))
        #expect(try ids(enough).count == 7)
        let tooFew = try SampleLoader(
            source: source, order: try order(data), positions: 0..<10, options: .init(policy: .skip(limit: 2)))
        let error = #expect(throws: UserError.self) { try ids(tooFew) }
        #expect(error?.problem.contains("3 broken records, more than the limit of 2") == true)
    }

    @Test func dataWithoutOneGoodRecordIsAnError() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 4, broken: [0, 1, 2, 3])
        let source = SampleSource(datasets: [data], recipe: ByteRecipe())
        let loader = try SampleLoader(
            source: source, order: try order(data), positions: 0..<4, options: .init(policy: .skip(limit: 9)))
        let error = #expect(throws: UserError.self) { try ids(loader) }
        #expect(error?.problem.hasPrefix("not one of the records could be used; the last of 4: ") == true)
        #expect(throws: UserError.self) { try loader.next() }
        // The end of a resumed run may well be a broken record.
        let rest = try SampleLoader(
            source: source, order: try order(data), positions: 3..<4, options: .init(policy: .skip(limit: 9)))
        #expect(try ids(rest).isEmpty)
    }

    @Test func replaceFillsEveryPositionTheSameWayEachTime() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 20, broken: [1, 2, 3])
        let source = SampleSource(datasets: [data], recipe: ByteRecipe())
        let runs = try [1, 4].map { workers in
            let loader = try SampleLoader(
                source: source, order: try order(data), positions: 0..<40,
                options: .init(workers: workers, policy: .replace(limit: 10)))
            let ids = try ids(loader)
            #expect(loader.statistics.replaced == 6)
            return ids
        }
        #expect(runs[0].count == 40 && runs[0] == runs[1])
    }

    @Test func replaceWithNothingGoodIsAnError() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 3, broken: [0, 1, 2])
        let loader = try SampleLoader(
            source: SampleSource(datasets: [data], recipe: ByteRecipe()), order: try order(data), positions: 0..<3,
            options: .init(policy: .replace(limit: 10)))
        let error = #expect(throws: UserError.self) { try ids(loader) }
        #expect(error?.problem.contains("no record could take the place") == true)
    }

    @Test func rejectionsAreListedOnceAcrossAResume() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 10, broken: [6])
        try Files.write([UInt8](), to: scratch.file("p3.bin"))
        let path = scratch.file("rejected.jsonl")
        let source = SampleSource(datasets: [data], recipe: ByteRecipe())
        for start in [0, 0, 4] {
            let loader = try SampleLoader(
                source: source, order: try order(data), positions: start..<10,
                log: try RejectionLog(path: path, stage: "align"))
            _ = try ids(loader)
        }
        let lines = try Files.readText(path).split(separator: "\n").map { try JSON.parse(String($0)) }
        // Record 6, and 3 and 8 whose picture is empty.
        #expect(lines.compactMap { $0["record"]?.int }.sorted() == [3, 6, 8])
        #expect(lines.allSatisfy { $0["stage"] == "align" && $0["action"] == "skipped" })
        #expect(lines.contains { $0["reason"]?.string == "\(data.path):7: this text is broken" })
        #expect(lines.contains { $0["reason"]?.string?.contains("p3.bin is empty") == true })
    }

    @Test func limitCountsWhatWasRejectedBeforeTheResume() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 10, broken: [0, 1, 2])
        let path = scratch.file("rejected.jsonl")
        let source = SampleSource(datasets: [data], recipe: ByteRecipe())
        let options = SampleLoader.Options(policy: .skip(limit: 4))
        let first = try SampleLoader(
            source: source, order: try order(data), positions: 0..<10, options: options,
            log: try RejectionLog(path: path, stage: "s"))
        _ = try ids(first)
        let second = try SampleLoader(
            source: source, order: try order(data), positions: 10..<20, options: options,
            log: try RejectionLog(path: path, stage: "s"))
        #expect(throws: UserError.self) { try ids(second) }
    }

    @Test func leavingInTheMiddleEndsTheThreads() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 50)
        for taken in [0, 1, 7] {
            let loader = try SampleLoader(
                source: SampleSource(datasets: [data], recipe: ByteRecipe(spin: true)), order: try order(data),
                positions: 0..<1_000_000, options: .init(workers: 6, ahead: 8))
            for _ in 0..<taken { _ = try loader.next() }
        }  // deinit joins; a leaked thread would hang or crash here
    }

    @Test func cachedPicturesAreDecodedOnce() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 20)
        let cache = PictureCache(byteLimit: 1 << 20)
        let source = SampleSource(datasets: [data], recipe: ByteRecipe(), cache: cache)
        let loader = try SampleLoader(
            source: source, order: try order(data), positions: 0..<100, options: .init(workers: 1))
        while let sample = try loader.next() {
            let number = sample.index.record % 5
            #expect(sample.pixels == [Pixels(repeating: Float(number), count: number + 1)])
        }
        #expect(cache.usage.pictures == 5 && cache.usage.hits == 95 && cache.usage.bytes == 15 * 4)
        let small = PictureCache(byteLimit: 5)
        let again = SampleSource(datasets: [data], recipe: ByteRecipe(), cache: small)
        _ = try ids(SampleLoader(source: again, order: try order(data), positions: 0..<100))
        #expect(small.usage.bytes <= 5)
    }

    @Test func batchesKeepTheBudgetAndResumeAlike() throws {
        let scratch = try Scratch()
        let data = try dataset(scratch, count: 40, broken: [5])
        let order = try order(data)
        let source = SampleSource(datasets: [data], recipe: ByteRecipe())
        func batches(from start: Int, _ limits: TokenBudgetBatcher.Limits) throws -> [(ids: [String], next: Int)] {
            let batcher = TokenBudgetBatcher(
                try SampleLoader(source: source, order: order, positions: start..<80), limits: limits)
            var result: [(ids: [String], next: Int)] = []
            while let batch = try batcher.next() {
                if let budget = limits.tokens { #expect(batch.tokenCount <= budget || batch.samples.count == 1) }
                if let count = limits.samples { #expect(batch.samples.count <= count) }
                #expect(batch.supervisedCount == batch.tokenCount)
                result.append((batch.samples.map(\.id), batch.nextPosition))
            }
            return result
        }
        for limits in [
            TokenBudgetBatcher.Limits(tokens: 100), .init(samples: 7), .init(tokens: 60, images: 2), .init(tokens: 1),
        ] {
            let whole = try batches(from: 0, limits)
            #expect(whole.flatMap(\.ids).count == 78)
            for (index, batch) in whole.enumerated() {
                let rest = try batches(from: batch.next, limits)
                #expect(rest.map(\.ids) == whole[(index + 1)...].map(\.ids))
            }
        }
    }
}
