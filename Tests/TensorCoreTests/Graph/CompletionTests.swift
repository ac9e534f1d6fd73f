import TensorCore
import TestSupport
import Testing

/// `Parameter.onGradientComplete`: what an optimizer fused into the backward pass relies on.
@Suite struct CompletionTests {
    private let backend = TestBackend.reference.make()

    private final class Log {
        var entries: [(name: String, gradient: [Float])] = []
    }

    private func parameter(_ name: String, _ values: [Float], _ log: Log) -> Parameter {
        parameter(name, Tensor(values, shape: [values.count], on: backend), log)
    }

    private func parameter(_ name: String, _ value: Tensor, _ log: Log) -> Parameter {
        let parameter = Parameter(value, decays: false)
        parameter.onGradientComplete = { log.entries.append((name, $0.gradient?.floats ?? [])) }
        return parameter
    }

    @Test func firesOnceAfterAllUses() {
        let log = Log()
        let shared = parameter("shared", [2, 3], log)
        let other = parameter("other", [5, 7], log)
        // shared is used first, in the middle and last, as a tied embedding is.
        let h = multiplied(shared.tensor, other.tensor)
        let y = multiplied(h + shared.tensor, shared.tensor)
        y.backward()
        #expect(log.entries.map(\.name).sorted() == ["other", "shared"])
        // d/ds (s o + s) s = 2 s (o + 1), d/do = s².
        #expect(log.entries.first { $0.name == "shared" }?.gradient == [24, 48])
        #expect(log.entries.first { $0.name == "other" }?.gradient == [4, 9])
    }

    @Test func firesInEveryPass() {
        let log = Log()
        let x = parameter("x", [1], log)
        for _ in 0..<3 {
            scaled(x.tensor, by: 2).backward()
            x.clearGradient()
        }
        #expect(log.entries.map(\.gradient) == [[2], [2], [2]])
    }

    /// The last layer is complete while the first has received nothing: memory can be given back as the walk goes.
    @Test func laterLayersCompleteFirst() {
        let log = Log()
        let first = parameter("first", [2], log)
        let second = parameter("second", [3], log)
        let third = parameter("third", [4], log)
        let x = Parameter(Tensor([1], shape: [1], on: backend), decays: false)
        let h = scaledColumns(x.tensor.reshaped([1, 1]), by: first.tensor)
        scaledColumns(scaledColumns(h, by: second.tensor), by: third.tensor).backward()
        #expect(log.entries.map(\.name) == ["third", "second", "first"])
    }

    /// Fewer labelled rows than columns: logits are kept in place of the head's gradient, which is formed when all else is done.
    @Test(arguments: [3, 6])
    func aHeadOfFewRowsCompletesLast(_ rows: Int) {
        let log = Log()
        var numbers = NumberStream(seed: 3)
        let weight = parameter("weight", numbers.tensor([4, 4], on: backend), log)
        let head = parameter("head", numbers.tensor([7, 4], on: backend), log)
        let hidden = linear(numbers.tensor([6, 4], on: backend), weight: weight.tensor)
        let labels = (0..<6).map { Int32($0 < rows ? $0 : -1) }
        // Chunks of two rows: several of them wait.
        crossEntropy(hidden, head: head.tensor, labels: labels, chunkRows: 2).backward()
        if rows < 4 {
            #expect(log.entries.map(\.name) == ["weight", "head"])
        } else {
            #expect(log.entries.count == 2)
        }

        // The same gradients as of logits that exist whole.
        let labelled = gatherRows(
            linear(hidden.detached, weight: head.tensor), indices: Tensor((0..<Int32(rows)).map { $0 }, on: backend))
        head.clearGradient()
        crossEntropy(logits: labelled, labels: (0..<Int32(rows)).map { $0 }).backward()
        expectClose(
            log.entries.first { $0.name == "head" }?.gradient ?? [], head.gradient?.floats ?? [], .gradient, "head")
    }

    /// A head that is the table of embeddings as well gets its gradient when the decoder's walk is done, before the tower's begins;
    /// rows are added to what it has written, not to zeros.
    @Test func aTiedHeadCompletesBeforeTheTower() {
        let backend = CountingBackend(self.backend)
        let log = Log()
        var numbers = NumberStream(seed: 3)
        let tower = parameter("tower", numbers.tensor([4, 4], on: backend), log)
        let table = parameter("table", numbers.tensor([7, 4], on: backend), log)
        let block = parameter("block", numbers.tensor([4, 4], on: backend), log)
        let features = linear(numbers.tensor([2, 4], on: backend), weight: tower.tensor)
        let x = embedded(
            table.tensor, ids: Tensor([-1, -1, 3, 5, 1, 2], on: backend), features: features,
            rows: Tensor([0, 1], on: backend))
        let hidden = linear(x, weight: block.tensor)
        backend.reset()
        crossEntropy(hidden, head: table.tensor, labels: [-1, -1, 5, 1, 2, -1], chunkRows: 2).backward()
        #expect(log.entries.map(\.name) == ["block", "table", "tower"])
        // The loss's gradient, and that of rows without a label.
        #expect(backend.calls["fill"] == 2)
    }

    /// A parameter inside a recomputed block and outside of it.
    @Test func firesOnceAroundRecomputation() {
        let log = Log()
        let shared = parameter("shared", [2], log)
        let inner = recomputed(shared.tensor.reshaped([1, 1])) { multiplied($0, shared.tensor.reshaped([1, 1])) }
        multiplied(inner, shared.tensor.reshaped([1, 1])).backward()  // s³
        #expect(log.entries.map(\.name) == ["shared"])
        #expect(log.entries.last?.gradient == [12])
    }

    /// Two recomputed blocks that share one parameter, one of them nested in a third.
    @Test func firesOnceForSharedBlocks() {
        let log = Log()
        let shared = parameter("shared", [2], log)
        let own = parameter("own", [3], log)
        let x = Parameter(Tensor([5], shape: [1], on: backend), decays: false)
        let first = recomputed(x.tensor) { multiplied($0, shared.tensor) }
        let second = recomputed(first) { h in
            recomputed(multiplied(h, own.tensor)) { multiplied($0, shared.tensor) }
        }
        second.backward()  // x s² o
        #expect(log.entries.map(\.name).sorted() == ["own", "shared"])
        #expect(log.entries.first { $0.name == "shared" }?.gradient == [60])
        #expect(log.entries.first { $0.name == "own" }?.gradient == [20])
        #expect(x.gradient?.floats == [12])
    }

    @Test func droppingTheGradientInTheHookIsAllowed() {
        let x = Parameter(Tensor([1, 2], shape: [2], on: backend), decays: false)
        var seen: [Float] = []
        x.onGradientComplete = {
            seen = $0.gradient?.floats ?? []
            $0.dropGradient()
        }
        scaled(x.tensor, by: 3).backward()
        #expect(seen == [3, 3])
        #expect(x.gradient == nil)
    }
}
