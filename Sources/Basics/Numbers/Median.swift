extension Sequence where Element == Double {
    /// The middle of the sorted values, of an even number the upper one; 0 without any.
    ///
    /// Times of a machine that does something else as well have outliers on one side, which a mean follows.
    public var median: Double {
        let sorted = sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }
}
