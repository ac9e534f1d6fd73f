import Basics
import DataGeneration
import InstructionData
import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Asking a server that answers as badly as servers do.
@Suite(.serialized) struct EndpointTests {
    private func client(
        _ server: TestServer, _ scratch: Scratch, timeout: Double = 600, key: String? = nil,
        waits: WaitLog = WaitLog(), _ configure: (inout CompletionClient.Policy) -> Void = { _ in }
    ) throws -> CompletionClient {
        var policy = CompletionClient.Policy()
        policy.backoff = 1
        configure(&policy)
        return CompletionClient(
            try EndpointWriter(server.address, model: "m", key: key, timeout: timeout),
            journal: try CompletionJournal(scratch.file("journal.jsonl")), policy: policy, sleep: { waits.add($0) })
    }

    /// Waits that a client would have slept.
    final class WaitLog: Sendable {
        private let waits = Mutex<[Double]>([])
        var all: [Double] { waits.withLock { $0 } }
        func add(_ seconds: Double) { waits.withLock { $0.append(seconds) } }
    }

    private func request(_ text: String) -> CompletionRequest { CompletionRequest([.init(role: "user", text: text)]) }

    @Test func aRequestIsWhatOpenAIDescribes() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in .answer(status: 200, body: TestServer.completion("seen")) }
        defer { server.stop() }
        var request = CompletionRequest([
            .init(role: "system", text: "be brief"),
            .init(role: "user", text: "what?", pictures: [.init(type: "png", bytes: [1, 2, 3])]),
        ])
        request.sampling.stop = ["END"]
        let answer = try client(server, scratch, key: "secret-key-1").complete([request])[0].get()
        #expect(answer == Completion(text: "seen", finish: "stop", promptTokens: 10, completionTokens: 5))
        let got = try #require(server.requests.first)
        #expect(got.head.hasPrefix("POST /v1/chat/completions HTTP/1.1\r\n"))
        #expect(got.head.contains("Authorization: Bearer secret-key-1"))
        #expect(got.body["model"] == "m" && got.body["stop"]?[0] == "END" && got.body["max_tokens"] == 512)
        #expect(got.body["messages"]?[0]?["content"] == "be brief")
        let parts = got.body["messages"]?[1]?["content"]
        #expect(parts?[0]?["image_url"]?["url"] == "data:image/png;base64,AQID" && parts?[1]?["text"] == "what?")
        // The key is in no file.
        #expect(try !Files.readText(scratch.file("journal.jsonl")).contains("secret"))
    }

    @Test func whatPassesIsTriedAgainAndCountedOnce() throws {
        let scratch = try Scratch()
        let good = TestServer.completion("at last")
        let server = try TestServer { _, number in
            switch number {
            case 0: .answer(status: 429, body: #"{"error":{"message":"slow down"}}"#, headers: ["Retry-After: 7"])
            case 1: .answer(status: 500, body: "<html>")
            case 2: .half(good)
            case 3: .answer(status: 200, body: "{\"choices\": [")
            case 4: .answer(status: 200, body: #"{"choices":[]}"#)
            case 5: .nothing
            default: .answer(status: 200, body: good)
            }
        }
        defer { server.stop() }
        let waits = WaitLog()
        let client = try client(server, scratch, waits: waits)
        #expect(try client.complete([request("q")])[0].get().text == "at last")
        #expect(server.requests.count == 7 && client.totals.attempts == 7 && client.totals.answers == 1)
        // The server's own wait, then doubled ones between their half and their whole.
        #expect(waits.all.count == 6 && waits.all[0] == 7)
        for (index, wait) in waits.all.enumerated().dropFirst() {
            let whole = Double(1 << index)
            #expect(wait >= whole / 2 && wait <= whole)
        }
        #expect(try scratch.lines("journal.jsonl").count == 1)
    }

    /// A server that is asked before its time counts it as another fault; one that wants hours ends the run.
    @Test func aServersOwnWaitIsKept() throws {
        let scratch = try Scratch()
        let server = try TestServer { request, number in
            let wait = request.body["messages"]?[0]?["content"]?.string == "late" ? 7_200 : 600
            return number == 1
                ? .answer(status: 200, body: TestServer.completion("at last"))
                : .answer(status: 429, body: "{}", headers: ["Retry-After: \(wait)"])
        }
        defer { server.stop() }
        let waits = WaitLog()
        let client = try client(server, scratch, waits: waits)
        #expect(try client.complete([request("q")])[0].get().text == "at last")
        #expect(waits.all == [600])
        let stop = problem { _ = try client.complete([self.request("late")]) }
        #expect(stop?.problem == "the server asks to be left alone for 7,200 seconds: status 429: {}")
        #expect(waits.all == [600] && server.requests.count == 3)
    }

    /// A server's counts neither overflow nor refill the budget.
    @Test(arguments: [Int.max, -5, Int.min]) func countsThatNoAnswerTakesCountForNothing(tokens: Int) throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in
            .answer(status: 200, body: TestServer.completion("a", prompt: tokens, answer: tokens))
        }
        defer { server.stop() }
        let first = try client(server, scratch) { $0.maximumTokens = 10_000 }
        for result in try first.complete([request("q"), request("r")]) {
            #expect(try result.get() == Completion(text: "a"))
        }
        // The same when the journal is read again, and when it says so itself.
        let line = #"{"digest":"d","text":"t","prompt_tokens":\#(tokens),"completion_tokens":\#(tokens)}"#
        try Files.write(line + "\n" + line.replacing("\"d\"", with: "\"e\"") + "\n", to: scratch.file("other.jsonl"))
        #expect(try CompletionJournal(scratch.file("other.jsonl")).tokens == 0)
    }

    /// What a model thought until its limit is paid for: it counts, and is not asked for again.
    @Test(arguments: ["null", "\"\"", "[]"]) func answersWithoutTextCount(content: String) throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in
            let choice = #"{"message":{"content":\#(content)},"finish_reason":"length"}"#
            let usage = #"{"prompt_tokens":9,"completion_tokens":300}"#
            return .answer(status: 200, body: #"{"choices":[\#(choice)],"usage":\#(usage)}"#)
        }
        defer { server.stop() }
        let asking = try client(server, scratch) { $0.maximumTokens = 600 }
        let answer = try asking.complete([request("q")])[0].get()
        #expect(answer.text.isEmpty && answer.isCut && server.requests.count == 1)
        #expect(problem { _ = try asking.complete([self.request("r")]) }?.problem.contains("(309 used)") == true)
    }

    /// How often is left open: on a busy machine the good answer may come too late as well.
    @Test func aSlowServerIsLeftAfterTheTimeout() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, number in
            number == 0 ? .never : .answer(status: 200, body: TestServer.completion("ok"))
        }
        defer { server.stop() }
        let client = try client(server, scratch, timeout: 0.4) { $0.retries = 1000 }
        #expect(try client.complete([request("q")])[0].get().text == "ok")
        #expect(client.totals.attempts >= 2 && client.totals.answers == 1)
    }

    @Test func whatWillNotPassEndsTheRunOrTheRequest() throws {
        let scratch = try Scratch()
        let server = try TestServer { request, _ in
            let text = request.body["messages"]?[0]?["content"]?.string ?? ""
            if text == "too long" { return .answer(status: 400, body: #"{"error":{"message":"context length"}}"#) }
            if text == "key" {
                return .answer(status: 401, body: #"{"error":{"message":"Incorrect API key: Bearer secret-key-2"}}"#)
            }
            if text == "never" { return .answer(status: 503, body: "") }
            return .answer(status: 200, body: TestServer.completion("fine"))
        }
        defer { server.stop() }
        let client = try client(server, scratch, key: "secret-key-2") { $0.retries = 2 }
        let results = try client.complete([request("too long"), request("a"), request("never")])
        #expect(results[0] == .failure(CompletionFailure(.refused, "status 400: context length")))
        #expect(try results[1].get().text == "fine")
        #expect(results[2] == .failure(CompletionFailure(.transient(after: nil), "status 503")))
        #expect(client.totals.attempts == 5 && client.totals.failures == 2)
        let stop = problem { _ = try client.complete([self.request("key")]) }
        #expect(stop?.problem == "the writer of answers gave up: status 401: Incorrect API key: Bearer …")
        #expect(stop?.description.contains("secret") == false)
        let nobody = CompletionClient(
            try EndpointWriter("http://127.0.0.1:9/v1", model: "m", key: nil),
            journal: try CompletionJournal(scratch.file("other.jsonl")), policy: .init(), sleep: { _ in })
        guard case .failure(let failure) = try nobody.complete([request("a")])[0] else {
            Issue.record("an answer from nobody")
            return
        }
        #expect(failure.kind == .transient(after: nil))
    }

    /// A wait that a server asks for by a date; a server that sends elsewhere; words of a server in other forms than OpenAI's.
    @Test func whatServersSayIsUnderstood() throws {
        let scratch = try Scratch()
        var soon = time(nil) + 3_000
        var date = [CChar](repeating: 0, count: 64)
        var parts = tm()
        strftime(&date, date.count, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&soon, &parts))
        let until = String(decoding: date.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let server = try TestServer { request, number in
            switch request.body["messages"]?[0]?["content"]?.string ?? "" {
            case "elsewhere": .answer(status: 302, body: "", headers: ["Location: http://127.0.0.1:9/"])
            case "detail": .answer(status: 422, body: #"{"detail":[{"msg":"field required"}]}"#)
            case "text": .answer(status: 400, body: "no such\r\n  model")
            case "page": .answer(status: 400, body: "<html>no</html>")
            default:
                number == 0
                    ? .answer(status: 429, body: "", headers: ["Retry-After: \(until)"])
                    : .answer(status: 200, body: TestServer.completion("fine"))
            }
        }
        defer { server.stop() }
        let waits = WaitLog()
        let client = try client(server, scratch, waits: waits) { $0.longestWait = 10_000 }
        #expect(try client.complete([request("q")])[0].get().text == "fine")
        #expect(waits.all.count == 1 && (1_000...3_001).contains(waits.all[0]), "\(waits.all)")
        let reasons = try client.complete([request("detail"), request("text"), request("page")]).map { result in
            if case .failure(let failure) = result { failure.reason } else { "" }
        }
        #expect(
            reasons == [#"status 422: [{"msg":"field required"}]"#, "status 400: no such model", "status 400"],
            "\(reasons)")
        let stop = problem { _ = try client.complete([self.request("elsewhere")]) }
        #expect(
            stop?.problem.contains("status 302: the address leads elsewhere") == true, "\(String(describing: stop))")
    }

    /// Nobody who asks to stop has to sit out a server's hour.
    @Test(.timeLimit(.minutes(20))) func aLongWaitIsLeftWhenAskedToStop() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in .answer(status: 429, body: "", headers: ["Retry-After: 3000"]) }
        defer { server.stop() }
        let isWaiting = Mutex(false)
        let told = Mutex("")
        var policy = CompletionClient.Policy()
        policy.longestWait = 3_600
        let client = CompletionClient(
            try EndpointWriter(server.address, model: "m", key: nil, timeout: 600),
            journal: try CompletionJournal(scratch.file("journal.jsonl")), policy: policy,
            waiting: { seconds, reason in
                told.withLock { $0 = "\(seconds) \(reason)" }
                isWaiting.withLock { $0 = true }
            }, isCancelled: { isWaiting.withLock { $0 } })
        let stop = #expect(throws: GenerationStopped.self) { try client.complete([request("q")]) }
        #expect(stop?.isOrderly == true && told.withLock { $0 } == "3000.0 status 429")
    }

    /// Nor a server's slow answer.
    @Test(.timeLimit(.minutes(20))) func aSlowAnswerIsGivenUpWhenAskedToStop() throws {
        let scratch = try Scratch()
        let hasAsked = Mutex(false)
        let isCancelled: @Sendable () -> Bool = { hasAsked.withLock { $0 } }
        let server = try TestServer { _, _ in
            hasAsked.withLock { $0 = true }
            return .never
        }
        defer { server.stop() }
        var policy = CompletionClient.Policy()
        policy.retries = 0
        let client = CompletionClient(
            try EndpointWriter(server.address, model: "m", key: nil, timeout: 3_600, isCancelled: isCancelled),
            journal: try CompletionJournal(scratch.file("journal.jsonl")), policy: policy, isCancelled: isCancelled)
        let stop = #expect(throws: GenerationStopped.self) { try client.complete([request("q"), request("r")]) }
        #expect(stop?.isOrderly == true && client.totals.failures == 0)
    }

    @Test func budgetsAndRatesAreKept() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in
            .answer(status: 200, body: TestServer.completion("x", prompt: 30, answer: 20))
        }
        defer { server.stop() }
        let requests = (0..<20).map { request("question \($0)") }
        let few = try client(server, scratch) {
            $0.maximumRequests = 7
            $0.concurrency = 4
        }
        #expect(problem { _ = try few.complete(requests) }?.problem == "the budget of 7 requests is used up")
        #expect(server.requests.count == 7)
    }

    @Test func aTokenBudgetHoldsOverRuns() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in
            .answer(status: 200, body: TestServer.completion("x", prompt: 30, answer: 20))
        }
        defer { server.stop() }
        var requests = (0..<20).map { request("question \($0)") }
        for index in requests.indices { requests[index].sampling.maximumTokens = 40 }
        for _ in 0..<3 {
            let journal = try CompletionJournal(scratch.file("journal.jsonl"))
            var policy = CompletionClient.Policy()
            policy.maximumTokens = 500
            policy.concurrency = 3
            let client = CompletionClient(
                try EndpointWriter(server.address, model: "m", key: nil, timeout: 600), journal: journal,
                policy: policy)
            #expect(
                problem { _ = try client.complete(requests) }?.problem.hasPrefix("the budget of 500 tokens") == true)
            #expect(journal.tokens <= 500)
            try journal.close()
        }
        #expect(server.requests.count >= 8 && server.requests.count <= 10)
    }

    @Test func aRateSpreadsTheStarts() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, _ in .answer(status: 200, body: TestServer.completion("x")) }
        defer { server.stop() }
        let waits = WaitLog()
        let client = try client(server, scratch, waits: waits) {
            $0.requestsPerMinute = 0.06
            $0.concurrency = 1
        }
        _ = try client.complete((0..<4).map { request("q\($0)") })
        // Each start a thousand seconds after the one before; the clock itself goes on a little meanwhile.
        #expect(waits.all.count == 3 && waits.all[2] > 2_000 && waits.all[2] <= 3_000)
    }

    @Test func equalRequestsAreAskedOnceAndDrawsTellThemApart() throws {
        let scratch = try Scratch()
        let server = try TestServer { _, number in .answer(status: 200, body: TestServer.completion("\(number)")) }
        defer { server.stop() }
        let client = try client(server, scratch) { $0.concurrency = 1 }
        var again = request("q")
        again.draw = 1
        let texts = try client.complete([request("q"), again, request("q")]).map { try $0.get().text }
        #expect(texts == ["0", "1", "0"] && server.requests.count == 2)
    }

    @Test(arguments: ["localhost:8000", "ftp://x/v1", "http://user:pass@x/v1"])
    func addressesAreChecked(_ address: String) {
        #expect(
            problem { _ = try EndpointWriter(address, model: "m", key: nil) }?.fix
                == "write it as http://localhost:8000/v1")
    }

    @Test func aTornJournalLosesItsLastLineOnly() throws {
        let scratch = try Scratch()
        let whole = #"{"digest":"a","text":"x","prompt_tokens":3,"completion_tokens":4}"#
        let path = try scratch.write("journal.jsonl", whole + "\n" + #"{"digest":"b","te"#)
        let journal = try CompletionJournal(path)
        #expect(journal.count == 1 && journal.tokens == 7)
        try journal.close()
        try scratch.write("journal.jsonl", whole + "\n" + #"{"digest":5}"# + "\n")
        #expect(
            problem { _ = try CompletionJournal(path) }?.problem.hasSuffix("journal.jsonl:2: no line of a journal")
                == true)
        // A damaged line is told with what is lost with it.
        try scratch.write("journal.jsonl", whole + "\n" + #"{"digest":"b","te"# + "\n" + whole + "\n")
        let damaged = problem { _ = try CompletionJournal(path) }
        #expect(damaged?.problem.contains("journal.jsonl:2:") == true)
        #expect(damaged?.fix?.hasPrefix("delete this line") == true)
    }
}
