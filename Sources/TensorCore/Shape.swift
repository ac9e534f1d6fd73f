/// The extents of a tensor, outermost first; elements are contiguous in row-major order.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    /// Extents, outermost first. Empty for a scalar.
    public let dimensions: [Int]

    /// A shape with these extents, none of them negative.
    public init(_ dimensions: [Int]) {
        precondition(dimensions.allSatisfy { $0 >= 0 }, "a shape has no negative extent: \(dimensions)")
        self.dimensions = dimensions
    }

    /// A shape written as a literal: `[tokens, hidden]`.
    public init(arrayLiteral dimensions: Int...) {
        self.init(dimensions)
    }

    /// The number of elements.
    public var count: Int { dimensions.reduce(1, *) }

    /// The number of extents.
    public var rank: Int { dimensions.count }

    /// The extent of one axis; negative axes count from the end.
    public subscript(axis: Int) -> Int {
        dimensions[axis < 0 ? dimensions.count + axis : axis]
    }

    /// The extent of the last axis (1 for a scalar): the columns when a tensor is read as a matrix.
    public var columns: Int { dimensions.last ?? 1 }

    /// The product of all extents but the last: the rows when a tensor is read as a matrix.
    public var rows: Int { dimensions.dropLast().reduce(1, *) }

    /// The extents in brackets.
    public var description: String { "\(dimensions)" }
}
