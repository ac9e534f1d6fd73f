#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// 256 numbers in −1…1 (or 0…1) that are dense near zero: the 8-bit "dynamic tree" type of Dettmers et al. 2022.
package enum DynamicMap {
    /// With signs, as bitsandbytes' `create_dynamic_map(signed=True)`.
    package static let signed = values(signed: true)
    /// Without signs, for second moments.
    package static let unsigned = values(signed: false)

    private static func values(signed: Bool) -> [Float] {
        var data: [Float] = [0, 1]
        let exponentBits = 7
        for i in 0..<exponentBits {
            // Fraction items between 0.1 and 1, their means, times a power of ten.
            let items = (signed ? 1 << i : 1 << (i + 1)) + 1
            let bounds = (0..<items).map { linear($0, items) }
            for (a, b) in zip(bounds, bounds.dropFirst()) {
                let value = (a + b) / 2 * Float(pow(10, Double(i - (exponentBits - 1))))
                data.append(value)
                if signed { data.append(-value) }
            }
        }
        return data.sorted()
    }

    /// Item of `torch.linspace(0.1, 1, count)`, which steps from the nearer end, in float32 with one rounding.
    private static func linear(_ index: Int, _ count: Int) -> Float {
        let step = (Float(1) - Float(0.1)) / Float(count - 1)
        return index < count / 2
            ? Float(0.1).addingProduct(step, Float(index)) : Float(1).addingProduct(-step, Float(count - 1 - index))
    }

    /// The index of the nearest value; of two at the same distance the lower.
    package static func index(of value: Float, in map: [Float]) -> UInt8 {
        var low = 0
        var high = map.count - 1
        while high - low > 1 {
            let middle = (low + high) / 2
            if map[middle] <= value { low = middle } else { high = middle }
        }
        return UInt8(value - map[low] <= map[high] - value ? low : high)
    }
}
