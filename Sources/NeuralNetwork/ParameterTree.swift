public import TensorCore

/// Something that has parameters: a parameter, a layer, a list of layers.
public protocol ParameterNode {
    /// The parameters below this one, with paths relative to it.
    var parameters: ParameterTree { get }
}

/// A part of a network: it computes, and lists its parameters once, by hand.
public protocol Module: ParameterNode {}

/// A module from hidden states to hidden states, `[…, columns]` to `[…, columns]`.
public protocol Layer: Module {
    /// Applies the layer to the last axis.
    func callAsFunction(_ x: Tensor) -> Tensor
    /// The result in the form in which products read it best; nothing else may read it.
    func factor(_ x: Tensor) -> Tensor
}

extension Layer {
    /// The result as it is.
    public func factor(_ x: Tensor) -> Tensor { self(x) }
}

/// A layer whose result is added to the residual stream.
public protocol ResidualLayer: Layer {
    /// residual + the layer's result.
    func added(to residual: Tensor, _ x: Tensor) -> Tensor
    /// Whether only products read the layer's input.
    var takesFactors: Bool { get }
}

/// Parameters by path, in the order in which the modules list them: `layers.0.attention.query.weight`.
public struct ParameterTree: ExpressibleByDictionaryLiteral {
    /// One parameter and its path.
    public typealias Entry = (path: String, parameter: Parameter)

    /// All parameters. A parameter that is used in several places stands once, where it is listed first.
    public private(set) var entries: [Entry] = []

    /// Places where tuning methods attach, by path: linear maps, and a decoder's front.
    public private(set) var sites: [(path: String, site: any TuningSite)] = []

    /// An empty tree.
    public init() {}

    /// A tree of named branches; nil branches are left out.
    public init(dictionaryLiteral branches: (String, (any ParameterNode)?)...) {
        for (name, branch) in branches {
            guard let branch else { continue }
            append(branch.parameters, under: name)
        }
    }

    /// A tree of parameters with given paths.
    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// Adds a branch. An empty name adds its parameters at this level.
    public mutating func append(_ branch: ParameterTree, under name: String) {
        for (path, parameter) in branch.entries {
            let full = path.isEmpty ? name : name.isEmpty ? path : "\(name).\(path)"
            entries.append((full, parameter))
        }
        for (path, site) in branch.sites {
            sites.append((path.isEmpty ? name : name.isEmpty ? path : "\(name).\(path)", site))
        }
    }

    /// The same tree with a place for tuning methods at its root.
    public func with(_ site: any TuningSite) -> ParameterTree {
        var tree = self
        tree.sites.append(("", site))
        return tree
    }

    /// The parameter at a path.
    public subscript(path: String) -> Parameter? { entries.first { $0.path == path }?.parameter }

    /// Only the entries that satisfy a condition on the path.
    public func filter(_ isIncluded: (Entry) -> Bool) -> ParameterTree { ParameterTree(entries.filter(isIncluded)) }

    /// Parameters that want gradients.
    public var trainable: ParameterTree { filter { $0.parameter.isTrainable } }

    /// Number of weights.
    public var count: Int { entries.reduce(0) { $0 + $1.parameter.count } }
}

/// A place of a network where a tuning method can attach, found by its path in the tree.
public protocol TuningSite: AnyObject {}

extension ParameterTree: ParameterNode {
    /// Parameters by path.
    public var parameters: ParameterTree { self }
}

extension Parameter: ParameterNode {
    /// Parameters by path.
    public var parameters: ParameterTree { ParameterTree([("", self)]) }
}

extension Array: ParameterNode where Element: ParameterNode {
    /// Parameters by path.
    public var parameters: ParameterTree {
        var tree = ParameterTree()
        for (index, element) in enumerated() { tree.append(element.parameters, under: String(index)) }
        return tree
    }
}
