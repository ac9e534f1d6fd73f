import CKernels
public import TensorCore

extension CPUBackend {
    /// Chunks of 16,384 elements, added in order: the result does not depend on the number of threads.
    public func sumOfSquares(_ tensors: [Tensor]) -> Double {
        let spans = tensors.map { vitrail_span(data: $0.floatPointer, count: $0.count) }
        return vitrail_sum_of_squares(pool, spans, spans.count)
    }

    /// All slices in one parallel pass, divided by elements; a large one by a few threads, beside the kernels that follow.
    public func adamW(_ slices: [AdamWSlice], settings: AdamWSettings) -> (any PendingUpdate)? {
        let passes = slices.map {
            vitrail_adamw_slice(
                parameter: $0.parameter.floatPointer, gradient: $0.gradient.floatPointer,
                first_moment: $0.firstMoment.floatPointer, second_moment: $0.secondMoment.floatPointer,
                count: $0.parameter.count, learning_rate: $0.learningRate, weight_decay: $0.weightDecay)
        }
        let update = vitrail_adamw(
            pool, passes, passes.count, settings.beta1, settings.beta2, settings.epsilon, Int64(settings.step),
            settings.gradientScale)
        return update.map { AdamWUpdate($0, of: slices, on: self) }
    }
}
