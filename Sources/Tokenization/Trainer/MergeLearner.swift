/// The counting part of training: words as ids, pairs by frequency, merges one by one.
///
/// Follows `models/bpe/trainer.rs` and `word.rs` of the `tokenizers` library step by step, so that ties fall the same way.
struct MergeLearner {
    private(set) var tokens: [[UInt8]]
    private(set) var merges: [(Int32, Int32)] = []

    private var words: [[Int32]]
    private let counts: [Int]
    private var ids: [[UInt8]: Int32] = [:]
    private var pairCounts: [Pair: Int] = [:]

    struct Pair: Hashable {
        var left: Int32
        var right: Int32
    }

    /// A pair that waits to be merged, with the words that held it when it was queued.
    private struct Candidate {
        var pair: Pair
        var count: Int
        var words: Set<Int32>

        /// More frequent first, of equals the smaller ids.
        func precedes(_ other: Candidate) -> Bool {
            if count != other.count { return count > other.count }
            return (pair.left, pair.right) < (other.pair.left, other.pair.right)
        }
    }

    private var queue: [Candidate] = []

    init(words: [(ids: [Int32], count: Int)], tokens: [[UInt8]]) {
        self.words = words.map(\.ids)
        counts = words.map(\.count)
        self.tokens = tokens
        for (id, token) in tokens.enumerated() { ids[token] = Int32(id) }
    }

    mutating func learn(upTo size: Int, minFrequency: Int) {
        var places: [Pair: Set<Int32>] = [:]
        for (index, word) in words.enumerated() {
            for (left, right) in zip(word, word.dropFirst()) {
                let pair = Pair(left: left, right: right)
                pairCounts[pair, default: 0] += counts[index]
                places[pair, default: []].insert(Int32(index))
            }
        }
        enqueue(places)
        while tokens.count < size, var top = pop() {
            let count = pairCounts[top.pair] ?? 0
            if top.count != count {
                top.count = count
                push(top)
                continue
            }
            if top.count < 1 || minFrequency > top.count { break }
            let token = tokens[Int(top.pair.left)] + tokens[Int(top.pair.right)]
            let id = ids[token] ?? Int32(tokens.count)
            if ids[token] == nil {
                ids[token] = id
                tokens.append(token)
            }
            merges.append((top.pair.left, top.pair.right))
            var changed: [Pair: Set<Int32>] = [:]
            for index in top.words { merge(top.pair, id, in: Int(index), &changed) }
            enqueue(changed)
        }
    }

    private mutating func enqueue(_ places: [Pair: Set<Int32>]) {
        for (pair, words) in places {
            let count = pairCounts[pair] ?? 0
            // The order of arrival does not matter: the queue orders pairs totally.
            if count > 0 { push(Candidate(pair: pair, count: count, words: words)) }
        }
    }

    /// Joins a pair in one word and counts what its neighbours lose and gain.
    private mutating func merge(_ pair: Pair, _ id: Int32, in index: Int, _ changed: inout [Pair: Set<Int32>]) {
        var word = words[index]
        let weight = counts[index]
        var position = 0
        func change(_ left: Int32, _ right: Int32, by amount: Int) {
            let pair = Pair(left: left, right: right)
            pairCounts[pair, default: 0] += amount * weight
            if amount > 0 { changed[pair, default: []].insert(Int32(index)) }
        }
        while position + 1 < word.count {
            if word[position] == pair.left, word[position + 1] == pair.right {
                if position > 0 {
                    change(word[position - 1], pair.left, by: -1)
                    change(word[position - 1], id, by: 1)
                }
                word[position] = id
                word.remove(at: position + 1)
                if position + 1 < word.count {
                    change(pair.right, word[position + 1], by: -1)
                    change(id, word[position + 1], by: 1)
                }
            }
            position += 1
        }
        words[index] = word
    }

    private mutating func push(_ candidate: Candidate) {
        queue.append(candidate)
        var child = queue.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard queue[child].precedes(queue[parent]) else { break }
            queue.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func pop() -> Candidate? {
        guard !queue.isEmpty else { return nil }
        queue.swapAt(0, queue.count - 1)
        let top = queue.removeLast()
        var parent = 0
        while true {
            var first = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < queue.count && queue[child].precedes(queue[first]) {
                first = child
            }
            if first == parent { return top }
            queue.swapAt(parent, first)
            parent = first
        }
    }
}
