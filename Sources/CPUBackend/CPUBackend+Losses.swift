import CKernels
public import TensorCore

extension CPUBackend {
    public func softmaxCrossEntropy(_ logits: Matrix, labels: Tensor, losses: Tensor, gradientScale: Float?) {
        guard var scale = gradientScale else {
            vitrail_softmax_cross_entropy(pool, logits.window, labels.intPointer, losses.floatPointer, nil)
            return
        }
        vitrail_softmax_cross_entropy(pool, logits.window, labels.intPointer, losses.floatPointer, &scale)
    }

    public func softmax(_ logits: Matrix) { vitrail_softmax(pool, logits.window) }

    public func pairwiseSigmoidLoss(_ similarities: Matrix, temperature: Float, bias: Float, losses: Tensor) {
        vitrail_pairwise_sigmoid_loss(pool, similarities.window, temperature, bias, losses.floatPointer)
    }
}
