extension PictureGroup {
    /// Groups of equal size as one, so that the tower runs once over all their pictures.
    static func merged(_ groups: [PictureGroup], of model: ModelConfiguration) -> [PictureGroup] {
        var sizes: [(height: Int, width: Int)] = []
        for group in groups where !sizes.contains(where: { $0 == (group.height, group.width) }) {
            sizes.append((group.height, group.width))
        }
        return sizes.map { size in
            let alike = groups.filter { ($0.height, $0.width) == size }
            guard alike.count > 1 else { return alike[0] }
            let tokens = model.visualTokenCount(height: size.height, width: size.width)
            var pixels: [Float] = []
            pixels.reserveCapacity(alike.reduce(0) { $0 + $1.pixels.count })
            var sources: [Int32]?
            var count = 0
            for group in alike {
                pixels += group.pixels
                if let own = group.sources {
                    let first = Int32(count * tokens)
                    sources = (sources ?? []) + own.map { $0 < 0 ? -1 : $0 + first }
                }
                count += group.count
            }
            return PictureGroup(
                height: size.height, width: size.width, count: count, pixels: pixels, rows: alike.flatMap(\.rows),
                sources: sources)
        }
    }
}
