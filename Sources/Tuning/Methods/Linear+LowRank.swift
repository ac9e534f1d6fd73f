import Basics
import NeuralNetwork
import TensorCore

extension Linear {
    /// The adapter put on last.
    var lastAdapter: (any LinearAdapter)? { (adapter as? AdapterChain)?.adapters.last ?? adapter }

    private func decomposed(_ lowRank: LowRankAdapter) -> DecomposedAdapter? {
        let all = (adapter as? AdapterChain)?.adapters ?? [adapter].compactMap { $0 }
        return all.lazy.compactMap { $0 as? DecomposedAdapter }.first { $0.lowRank === lowRank }
    }

    func removeLowRank(_ lowRank: LowRankAdapter) {
        if let outer = decomposed(lowRank) { remove(outer) } else { remove(lowRank) }
    }

    /// The weight that does what map and adapter do.
    func mergedWeight(of lowRank: LowRankAdapter) -> [Float] {
        if let outer = decomposed(lowRank) { return outer.merged }
        let result = weight.value.backend.empty(weight.shape)
        result.backend.convert(weight.value, into: result)
        lowRank.addProduct(to: result)
        return result.floats
    }
}
