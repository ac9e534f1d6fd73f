extension BPEModel {
    /// Appends the ids of one piece.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        guard cutsAtBlanks else { return encodeWord(piece, scratch, to: &ids) }
        // A run of blanks begins a word, so that text without spaces in between is not one long word.
        var start = 0
        var index = 0
        var wasBlank = true
        while index < piece.count {
            let isBlank =
                piece[index] == 0xE2 && index + 2 < piece.count && piece[index + 1] == 0x96
                && piece[index + 2] == 0x81
            if isBlank, !wasBlank {
                encodeWord(UnsafeBufferPointer(rebasing: piece[start..<index]), scratch, to: &ids)
                start = index
            }
            wasBlank = isBlank
            index += isBlank ? 3 : 1
        }
        encodeWord(UnsafeBufferPointer(rebasing: piece[start...]), scratch, to: &ids)
    }

    private func encodeWord(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        guard !word.isEmpty else { return }
        guard word.count <= WordCache.maxLength else { return encodeNewWord(word, scratch, to: &ids) }
        let key = WordCache.Key(word)
        if scratch.cache.append(key, to: &ids) { return }
        let start = ids.count
        encodeNewWord(word, scratch, to: &ids)
        scratch.cache.insert(key, ids[start...])
    }

    private func encodeNewWord(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch, to ids: inout [Int32]) {
        if ignoresMerges {
            let id = table.id(of: word)
            if id >= 0 { return ids.append(id) }
        }
        scratch.ids.removeAll(keepingCapacity: true)
        switch alphabet {
        case .bytes(let first, let last): startFromBytes(word, first, last, scratch)
        case .characters: startFromCharacters(word, scratch)
        }
        if scratch.ids.count > 1 { pairs.withLookup { Self.merge(scratch, $0) } }
        ids += scratch.ids
    }

    private func startFromBytes(
        _ word: UnsafeBufferPointer<UInt8>, _ first: [Int32], _ last: [Int32], _ scratch: EncodingScratch
    ) {
        for (index, byte) in word.enumerated() {
            let id = index + 1 == word.count ? last[Int(byte)] : first[Int(byte)]
            if id >= 0 {
                scratch.ids.append(id)
            } else if let unknown {
                if !(fusesUnknown && scratch.ids.last == unknown) { scratch.ids.append(unknown) }
            }
        }
    }

    private func startFromCharacters(_ word: UnsafeBufferPointer<UInt8>, _ scratch: EncodingScratch) {
        var index = 0
        var lastWasUnknown = false
        while index < word.count {
            let end = min(index + CodePoints.length(word[index]), word.count)
            let character = UnsafeBufferPointer(rebasing: word[index..<end])
            let id = lookUp(character, isFirst: index == 0, isLast: end == word.count)
            if id >= 0 {
                scratch.ids.append(id)
                lastWasUnknown = false
            } else if !byteFallback.isEmpty, character.allSatisfy({ byteFallback[Int($0)] >= 0 }) {
                for byte in character { scratch.ids.append(byteFallback[Int(byte)]) }
                lastWasUnknown = false
            } else if let unknown {
                if !(fusesUnknown && lastWasUnknown) { scratch.ids.append(unknown) }
                lastWasUnknown = true
            }
            index = end
        }
    }

    /// The id of one character with the affixes of its place.
    private func lookUp(_ character: UnsafeBufferPointer<UInt8>, isFirst: Bool, isLast: Bool) -> Int32 {
        if (isFirst || prefix.isEmpty) && (!isLast || suffix.isEmpty) { return table.id(of: character) }
        var bytes = isFirst ? [] : prefix
        bytes += character
        if isLast { bytes += suffix }
        return table.id(of: bytes)
    }

    /// Applies the merges to `scratch.ids`: always the lowest rank, the leftmost of equals.
    static func merge(_ scratch: EncodingScratch, _ lookup: PairTable.Lookup) {
        if scratch.ids.count <= 24 { mergeShort(scratch, lookup) } else { mergeLong(scratch, lookup) }
    }

    /// Looks through all pairs for each merge: quickest for words of usual length.
    private static func mergeShort(_ scratch: EncodingScratch, _ lookup: PairTable.Lookup) {
        var count = scratch.ids.count
        if scratch.merges.count < 24 {
            scratch.merges = Array(repeating: PairTable.Merge(rank: .max, id: 0), count: 24)
        }
        scratch.ids.withUnsafeMutableBufferPointer { ids in
            scratch.merges.withUnsafeMutableBufferPointer { merges in
                for index in 0..<count - 1 { merges[index] = lookup(ids[index], ids[index + 1]) }
                while count > 1 {
                    var best = 0
                    var rank = merges[0].rank
                    var index = 1
                    while index < count - 1 {
                        if merges[index].rank < rank {
                            rank = merges[index].rank
                            best = index
                        }
                        index += 1
                    }
                    if rank == .max { break }
                    ids[best] = merges[best].id
                    index = best + 1
                    while index < count - 1 {
                        ids[index] = ids[index + 1]
                        merges[index] = merges[index + 1]
                        index += 1
                    }
                    count -= 1
                    if best > 0 { merges[best - 1] = lookup(ids[best - 1], ids[best]) }
                    if best + 1 < count { merges[best] = lookup(ids[best], ids[best + 1]) }
                }
            }
        }
        scratch.ids.removeLast(scratch.ids.count - count)
    }

    /// A heap of candidate merges over a linked list: n log n for text without spaces.
    private static func mergeLong(_ scratch: EncodingScratch, _ lookup: PairTable.Lookup) {
        let count = scratch.ids.count
        scratch.previous = (0..<Int32(count)).map { $0 - 1 }
        scratch.next = (1...Int32(count)).map { $0 < Int32(count) ? $0 : -1 }
        scratch.heap.removeAll(keepingCapacity: true)
        func offer(_ position: Int32) {
            let after = scratch.next[Int(position)]
            guard after >= 0 else { return }
            let rank = lookup(scratch.ids[Int(position)], scratch.ids[Int(after)]).rank
            if rank != .max { scratch.heap.pushMinimum(UInt64(rank) << 32 | UInt64(position)) }
        }
        for position in 0..<Int32(count) { offer(position) }
        while let candidate = scratch.heap.popMinimum() {
            let position = Int(candidate & 0xFFFF_FFFF)
            let after = Int(scratch.next[position])
            guard scratch.ids[position] >= 0, after >= 0 else { continue }
            let merge = lookup(scratch.ids[position], scratch.ids[after])
            // The pair may have changed since it was offered.
            guard UInt64(UInt32(bitPattern: merge.rank)) == candidate >> 32 else { continue }
            scratch.ids[position] = merge.id
            scratch.ids[after] = -1
            let following = scratch.next[after]
            scratch.next[position] = following
            scratch.next[after] = -1
            if following >= 0 { scratch.previous[Int(following)] = Int32(position) }
            if scratch.previous[position] >= 0 { offer(scratch.previous[position]) }
            offer(Int32(position))
        }
        scratch.ids.removeAll { $0 < 0 }
    }
}

extension [UInt64] {
    /// Adds to a binary heap whose smallest element is first.
    mutating func pushMinimum(_ value: UInt64) {
        append(value)
        var child = count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if self[parent] <= value { break }
            self[child] = self[parent]
            child = parent
        }
        self[child] = value
    }

    /// Takes the smallest element of a binary heap.
    mutating func popMinimum() -> UInt64? {
        guard let smallest = first, let value = popLast() else { return nil }
        if isEmpty { return smallest }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= count { break }
            if child + 1 < count, self[child + 1] < self[child] { child += 1 }
            if self[child] >= value { break }
            self[parent] = self[child]
            parent = child
        }
        self[parent] = value
        return smallest
    }
}
