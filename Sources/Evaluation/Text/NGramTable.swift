/// Numbers words and their sequences in the order of their first appearance, so that sums over them have a fixed order.
struct NGramTable {
    /// How often each of a text's n-grams occurs.
    struct Counts {
        /// `[order - 1]`: identifier and count of each n-gram, in the order of first appearance.
        var orders: [[(gram: Int, count: Int)]]
        /// The text's length in words.
        var length: Int
    }

    private var wordNumbers: [String: Int] = [:]
    private var gramNumbers: [[Int]: Int] = [:]

    /// The number of distinct n-grams met.
    var count: Int { gramNumbers.count }

    /// Counts the n-grams of one to `longest` words.
    mutating func counts(of words: [String], longest: Int) -> Counts {
        let numbers = words.map { word in
            let number = wordNumbers[word] ?? wordNumbers.count
            wordNumbers[word] = number
            return number
        }
        var orders: [[(gram: Int, count: Int)]] = []
        for order in 1...longest {
            var entries: [(gram: Int, count: Int)] = []
            var places: [Int: Int] = [:]
            for start in 0..<max(0, numbers.count - order + 1) {
                let gram = number(of: Array(numbers[start..<start + order]))
                if let place = places[gram] {
                    entries[place].count += 1
                } else {
                    places[gram] = entries.count
                    entries.append((gram, 1))
                }
            }
            orders.append(entries)
        }
        return Counts(orders: orders, length: numbers.count)
    }

    private mutating func number(of gram: [Int]) -> Int {
        if let number = gramNumbers[gram] { return number }
        gramNumbers[gram] = gramNumbers.count
        return gramNumbers.count - 1
    }
}
