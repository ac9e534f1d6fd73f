extension PackedBatch {
    /// The sequences in `count` runs of about equal numbers of tokens; nil where they cannot be cut so, since there are too few of them
    /// or pictures come in tiles.
    package func divided(into count: Int) -> [Range<Int>]? {
        let sequences = offsets.count - 1
        guard sequences >= count, pictures.allSatisfy({ $0.sources == nil }) else { return nil }
        var runs: [Range<Int>] = []
        var start = 0
        for run in 1...count {
            let wanted = tokenCount * run / count
            var end = start + 1
            // The cut that lies nearest, with a sequence at least for every run behind it.
            while end < sequences - (count - run),
                run == count || tokens(before: end + 1, from: wanted) < tokens(before: end, from: wanted)
            {
                end += 1
            }
            runs.append(start..<end)
            start = end
        }
        let longest = runs.map { Int(offsets[$0.upperBound] - offsets[$0.lowerBound]) }.max() ?? 0
        // Nothing is won where all wait for one.
        return longest * count * 8 <= tokenCount * 9 ? runs : nil
    }

    /// How far a cut before a sequence lies from a number of tokens.
    private func tokens(before sequence: Int, from wanted: Int) -> Int { abs(Int(offsets[sequence]) - wanted) }

    /// Some of the sequences, with their pictures, as a batch of their own. No picture comes in tiles.
    package func sequences(_ range: Range<Int>) -> PackedBatch {
        let (start, end) = (offsets[range.lowerBound], offsets[range.upperBound])
        let rows = Int(start)..<Int(end)
        return PackedBatch(
            ids: Array(ids[rows]), labels: Array(labels[rows]),
            offsets: offsets[range.lowerBound...range.upperBound].map { $0 - start },
            pictures: pictures.compactMap { $0.pictures(in: start..<end) })
    }
}

extension PictureGroup {
    /// The pictures whose visual tokens stand in some rows of the batch, counted from there; nil where none does.
    fileprivate func pictures(in range: Range<Int32>) -> PictureGroup? {
        guard count > 0 else { return nil }
        let tokens = rows.count / count
        let chosen = (0..<count).filter { range.contains(rows[$0 * tokens]) }
        guard !chosen.isEmpty else { return nil }
        let size = pixels.count / count
        return PictureGroup(
            height: height, width: width, count: chosen.count,
            pixels: chosen.flatMap { pixels[$0 * size..<($0 + 1) * size] },
            rows: chosen.flatMap { rows[$0 * tokens..<($0 + 1) * tokens].map { $0 - range.lowerBound } })
    }
}
