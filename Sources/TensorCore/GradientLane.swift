/// What a parameter has of a backward pass: the end of its graph, and the sum that has arrived there.
final class ArrivingGradient {
    /// Memory of the sum, kept when it is forgotten.
    var memory: Tensor?
    /// Whether a contribution has arrived.
    var isThere = false
    /// The end of the graph being built.
    weak var leaf: GraphNode?

    /// The sum, nil when nothing has arrived.
    var gradient: Tensor? { isThere ? memory : nil }
}

/// Gradients beside the parameters' own: what one of several graphs of the same model that run side by side adds up.
///
/// Values are shared and only read meanwhile. Unchecked because a task-local value must be Sendable: threads take turns with a lane.
package final class GradientLane: @unchecked Sendable {
    @TaskLocal static var current: GradientLane?

    private var gradients: [ObjectIdentifier: ArrivingGradient] = [:]

    /// Without gradients yet.
    package init() {}

    /// Graphs that `body` builds end here.
    package func run<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Self.$current.withValue(self, operation: body)
    }

    func gradient(of parameter: Parameter) -> ArrivingGradient {
        if let known = gradients[ObjectIdentifier(parameter)] { return known }
        let fresh = ArrivingGradient()
        gradients[ObjectIdentifier(parameter)] = fresh
        return fresh
    }

    /// Adds what lanes have of these parameters to the parameters' own gradients, in the order of the lanes.
    package static func add(_ lanes: [GradientLane], to parameters: [Parameter], on backend: any Backend) {
        nonisolated(unsafe) let parameters = parameters  // each is one thread's
        backend.sideBySide(parameters.count, reading: []) { index in
            let sum = parameters[index].arriving
            for lane in lanes {
                guard let part = lane.gradients[ObjectIdentifier(parameters[index])]?.gradient else { continue }
                if let memory = sum.gradient {
                    memory.backend.add(memory, part, into: memory)
                } else {
                    sum.memory = part
                    sum.isThere = true
                }
            }
        }
    }
}
