public import NeuralNetwork
public import TensorCore

/// A method at work on a model: what it trains, and how to take it away again.
public final class AttachedMethod {
    /// The rule that attached it.
    public internal(set) var rule: TuningRule
    /// Parameters that are not the model's own, by the path of their place and their name there. Trained unless frozen.
    public internal(set) var added: [AddedParameter] = []
    /// Parameters of the model itself that are trained.
    public internal(set) var changed = ParameterTree()
    /// Factors on the learning rate, by identity of the parameter (LoRA+).
    var rateFactors: [ObjectIdentifier: Double] = [:]
    /// Folds the method into the model's weights; nil where no weights can do the same.
    var fold: (() throws -> Void)?
    /// Why it cannot be folded, and what to do instead.
    var foldObstacle: String?
    /// Called when all methods are attached and it is settled what is trained: the time to quantise the rest.
    var settle: (() -> Void)?
    /// Whether weights that the method replaces are kept, to come back when it is taken away.
    var keepsBase = false
    /// Tensors besides parameters that a resumed run must find again: codes of a quantised base.
    var kept: [(name: String, tensor: Tensor)] = []
    /// Weights of the base that are kept as codes, and the bytes that those take with their scales.
    var coded: (weights: Int, bytes: Int) = (0, 0)
    /// Called before every training step, with its number.
    var willStep: ((Int) -> Void)?
    /// Takes the method away.
    var remove: () -> Void = {}
    /// Tensors of the adapter's file, where they are not the added parameters as they stand.
    var exported: (() -> [AdapterTensor])?
    /// Takes a tensor of a file that is not an added parameter as it stands: its site, name and values.
    var importedAt: ((String, String, [Float]) -> Void)?

    /// What reads the adapter's file back, where only the attached method knows; otherwise `rule.method.saved`.
    var savedMethod: (any TuningMethod)?

    /// Called before the samples of a data source run, with its place in the stage's data.
    var selectSource: ((Int) -> Void)?
    /// Writes a plain adapter from an instruction's tokens; nil when it has none.
    var written: (([Int32]) -> (method: any TuningMethod, tensors: [AdapterTensor])?)?

    init(_ rule: TuningRule) { self.rule = rule }

    convenience init(_ method: any TuningMethod, _ target: TuningTarget) {
        self.init(TuningRule(selector: target.selector, method: method, paths: target.paths))
    }

    /// Adds a parameter at a place.
    func add(
        _ parameter: Parameter, at site: String, _ name: String, shape: [Int]? = nil, part: String = "language"
    ) {
        added.append(
            AddedParameter(
                site: site, name: name, parameter: parameter, shape: shape ?? parameter.shape.dimensions, part: part))
    }

    /// What reads the adapter's file back.
    var saved: any TuningMethod { savedMethod ?? rule.method.saved }

    /// The tensors that an adapter's file holds.
    var tensors: [AdapterTensor] {
        exported?()
            ?? added.map {
                AdapterTensor(site: $0.site, name: $0.name, shape: $0.shape, values: $0.parameter.value.floats)
            }
    }
}

/// A parameter that a method added to a model.
public struct AddedParameter {
    /// Path of the map or part that it belongs to; empty for the model as a whole.
    public let site: String
    /// Its name there, as PEFT writes it: `lora_A.weight`.
    public let name: String
    /// The parameter.
    public let parameter: Parameter
    /// Its shape in files.
    public let shape: [Int]

    /// Where it stands in the tree of all parameters.
    public var path: String { site.isEmpty ? "\(part).\(name)" : "\(site).\(name)" }
    /// The part that it belongs to when it has no site.
    var part = "language"
}

/// One tensor of an adapter's file.
struct AdapterTensor {
    let site: String
    let name: String
    let shape: [Int]
    let values: [Float]
}

extension Linear {
    /// Puts an adapter behind those that are there.
    func push(_ adapter: any LinearAdapter) {
        switch self.adapter {
        case nil: self.adapter = adapter
        case let chain as AdapterChain: self.adapter = AdapterChain(chain.adapters + [adapter])
        case let other?: self.adapter = AdapterChain([other, adapter])
        }
    }

    /// Takes an adapter away.
    func remove(_ adapter: any LinearAdapter & AnyObject) {
        if let chain = self.adapter as? AdapterChain {
            let rest = chain.adapters.filter { ($0 as AnyObject) !== adapter }
            self.adapter = rest.count == 1 ? rest[0] : AdapterChain(rest)
        } else if (self.adapter as AnyObject?) === adapter {
            self.adapter = nil
        }
    }

    /// Replaces the weight's values.
    func setWeight(_ values: [Float]) {
        // A weight that was kept in another form is a tensor from here on.
        let value = weight.source == nil ? weight.value : weight.value.backend.empty(weight.shape)
        values.withUnsafeBytes { value.backend.upload($0, to: value) }
        if weight.source != nil { weight.replaceValue(value) }
    }
}
