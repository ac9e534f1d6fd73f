import TensorCore

/// A parameter of an optimizer, with the group whose rates it has.
struct OptimizerSlot {
    let path: String
    let parameter: Parameter
    let group: Int

    /// The parameters of all groups in order.
    static func all(_ groups: [ParameterTree]) -> [OptimizerSlot] {
        groups.enumerated().flatMap { group, tree in
            tree.entries.map { OptimizerSlot(path: $0.path, parameter: $0.parameter, group: group) }
        }
    }

    /// Decoupled weight decay of this parameter.
    func decay(_ rates: [GroupRate]) -> Float { parameter.decays ? Float(rates[group].weightDecay) : 0 }

    /// Learning rate of this parameter.
    func rate(_ rates: [GroupRate]) -> Float { Float(rates[group].learningRate) }

    /// Whether it is a matrix of a layer: not a table of tokens or positions, nor a vector.
    var isMatrix: Bool {
        let name = path.split(separator: ".").last ?? ""
        return parameter.shape.rank == 2 && min(parameter.shape[0], parameter.shape[1]) > 1
            && !["embedding", "positions", "classToken"].contains(name) && !path.contains(".head.")
    }
}

/// An optimizer that changes each parameter as soon as its gradient is complete, so that one gradient is alive at a time.
public protocol FusedOptimizer: Optimizer {
    /// A backward pass follows; its gradients are multiplied by `gradientScale` first.
    func begin(_ rates: [GroupRate], gradientScale: Double)
    /// √Σ g² over the gradients of the pass, before scaling.
    var gradientNorm: Double { get }
}

extension Tensor {
    /// Elements in memory that the host sees, for optimizers that have no kernel of their own.
    var host: UnsafeMutablePointer<Float> { floatPointer }
}
