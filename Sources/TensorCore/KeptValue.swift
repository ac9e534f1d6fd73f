/// A value that a gradient needs later: kept, or computed again when it is cheap (`GraphNode.remake`).
struct KeptValue {
    private let compute: () -> Tensor

    /// Keeps `value`, or the way to it.
    init(_ value: Tensor) {
        let detached = value.detached
        compute = value.node?.remake?.compute ?? { detached }
    }

    /// The value; a copy of its own where it was not kept.
    var tensor: Tensor { compute() }
}

/// The argument of an activation function, which two gradients read: that of the map behind it, for the function's value, and
/// then the function's own, after which it is not needed any more.
final class ActivationArgument {
    private var value: Tensor?
    private let again: (() -> Tensor)?

    /// Keeps `x`, or the way to it where maps are computed again.
    init(_ x: Tensor) {
        again = x.node?.again
        value = again == nil ? x.detached : nil
    }

    /// The argument, kept until it is taken.
    var tensor: Tensor {
        if let value { return value }
        let made = again!()
        value = made
        return made
    }

    /// The argument for its last use.
    func take() -> Tensor {
        defer { value = nil }
        return tensor
    }
}

extension GraphNode {
    /// Takes a contribution that a kernel writes over `argument`, whose memory nobody needs any more, or else as `accumulate` does.
    ///
    /// - Parameter write: may be given the argument's own memory as its destination.
    func accumulate(over argument: inout Tensor, _ write: (Tensor, _ destination: Tensor, _ accumulate: Bool) -> Void) {
        guard gradient == nil, argument.dtype == gradientType, argument.isUniquelyOwned() else {
            let argument = argument
            return accumulate { write(argument, $0, $1) }
        }
        write(argument, argument, false)
        accept(argument)
    }
}
