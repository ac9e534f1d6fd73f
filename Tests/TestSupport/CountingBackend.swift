package import TensorCore

/// Forwards to another back end and counts the calls: how tests see which work was done, and which was not.
package final class CountingBackend: Backend {
    /// Calls by kernel name since the last `reset()`; memory functions are not counted.
    package private(set) var calls: [String: Int] = [:]
    private let base: any Backend

    /// Counts the calls to `base`.
    package init(_ base: any Backend) { self.base = base }

    package var name: String { base.name }
    package var threads: Int { base.threads }

    /// All kernel calls together.
    package var total: Int { calls.values.reduce(0, +) }

    /// Starts over at zero.
    package func reset() { calls = [:] }

    private func count(_ kernel: String = #function) {
        calls[String(kernel.prefix { $0 != "(" }), default: 0] += 1
    }

    /// One after the other: calls are counted without a lock.
    package func sideBySide(_ count: Int, reading weights: [Tensor], _ body: @Sendable (Int) -> Void) {
        for index in 0..<count { body(index) }
    }
    package var dividesSmallSteps: Bool { false }

    // The tensor's back end is this one, so that operations come back here.
    package func allocate(byteCount: Int) -> Storage {
        let inner = base.allocate(byteCount: byteCount)
        return Storage(pointer: inner.pointer, byteCount: inner.byteCount, backend: self) { _ in
            withExtendedLifetime(inner) {}
        }
    }

    package func upload(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor) {
        base.upload(bytes, to: tensor)
    }
    package func download(_ tensor: Tensor, to bytes: UnsafeMutableRawBufferPointer) {
        base.download(tensor, to: bytes)
    }
    package func fill(_ tensor: Tensor, _ value: Float) {
        count()
        base.fill(tensor, value)
    }
    package func copy(_ source: Tensor, into destination: Tensor) {
        count()
        base.copy(source, into: destination)
    }
    package func convert(_ source: Tensor, into destination: Tensor) {
        count()
        base.convert(source, into: destination)
    }
    package func add(_ a: Tensor, _ b: Tensor, into destination: Tensor) {
        count()
        base.add(a, b, into: destination)
    }
    package func scale(_ source: Tensor, by factor: Float, into destination: Tensor, accumulate: Bool) {
        count()
        base.scale(source, by: factor, into: destination, accumulate: accumulate)
    }
    package func multiply(_ a: Tensor, _ b: Tensor, into destination: Tensor, accumulate: Bool) {
        count()
        base.multiply(a, b, into: destination, accumulate: accumulate)
    }
    package func scaleColumns(_ x: Matrix, by vector: Tensor, into destination: Matrix, accumulate: Bool) {
        count()
        base.scaleColumns(x, by: vector, into: destination, accumulate: accumulate)
    }
    package func sumRows(_ a: Matrix, _ b: Matrix?, into destination: Tensor, accumulate: Bool) {
        count()
        base.sumRows(a, b, into: destination, accumulate: accumulate)
    }
    package func activation(_ function: Activation, _ x: Tensor, into destination: Tensor) {
        count()
        base.activation(function, x, into: destination)
    }
    package func activationGradient(
        _ function: Activation, _ x: Tensor, gradient: Tensor, into destination: Tensor, accumulate: Bool,
        value: Tensor?
    ) {
        count()
        if value != nil { count("values beside gradients") }
        base.activationGradient(
            function, x, gradient: gradient, into: destination, accumulate: accumulate, value: value)
    }
    package func gatedActivation(_ function: Activation, _ x: Matrix, into destination: Matrix) {
        count()
        base.gatedActivation(function, x, into: destination)
    }
    package func gatedActivationGradient(
        _ function: Activation, _ x: Matrix, gradient: Matrix, into destination: Matrix, accumulate: Bool,
        value: Matrix?
    ) {
        count()
        if value != nil { count("values beside gradients") }
        base.gatedActivationGradient(
            function, x, gradient: gradient, into: destination, accumulate: accumulate, value: value)
    }
    package func dropout(_ x: Tensor, rate: Float, seed: UInt64, into destination: Tensor, accumulate: Bool) {
        count()
        base.dropout(x, rate: rate, seed: seed, into: destination, accumulate: accumulate)
    }
    package func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool
    ) {
        count()
        base.product(
            a, transposeA: transposeA, b, transposeB: transposeB, alpha: alpha, bias: bias, into: c,
            accumulate: accumulate)
    }
    /// Each of the products is counted, and several are a run that they share.
    package func products(_ calls: [ProductCall]) {
        for _ in calls { count("product") }
        if calls.count > 1 { count() }
        base.products(calls)
    }
    package var factorType: DType { base.factorType }
    package var attentionTakesFactors: Bool { base.attentionTakesFactors }
    package var streamedRows: Int { base.streamedRows }
    package func linearMap(
        _ x: Matrix, weight: Matrix, bias: Tensor?, addend: Matrix?, activation: Activation?, into y: Matrix
    ) {
        count()
        base.linearMap(x, weight: weight, bias: bias, addend: addend, activation: activation, into: y)
    }
    package func layerNorm(
        _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor
    ) {
        count()
        base.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon, into: destination, statistics: statistics)
    }
    package func layerNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix,
        into xGradient: (Matrix, accumulate: Bool)?, weightGradient: (Tensor, accumulate: Bool)?,
        biasGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, bias: Tensor, epsilon: Float)?
    ) {
        count()
        if value != nil { count("values beside gradients") }
        base.layerNormGradient(
            x, weight: weight, statistics: statistics, gradient: gradient, into: xGradient,
            weightGradient: weightGradient, biasGradient: biasGradient, value: value)
    }
    package func rmsNorm(_ x: Matrix, weight: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor) {
        count()
        base.rmsNorm(x, weight: weight, epsilon: epsilon, into: destination, statistics: statistics)
    }
    package func rmsNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix, into xGradient: (Matrix, accumulate: Bool)?,
        weightGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, epsilon: Float)?
    ) {
        count()
        if value != nil { count("values beside gradients") }
        base.rmsNormGradient(
            x, weight: weight, statistics: statistics, gradient: gradient, into: xGradient,
            weightGradient: weightGradient, value: value)
    }
    package func normalizeRows(_ x: Matrix, epsilon: Float, into destination: Matrix, norms: Tensor) {
        count()
        base.normalizeRows(x, epsilon: epsilon, into: destination, norms: norms)
    }
    package func normalizeRowsGradient(
        normalized: Matrix, norms: Tensor, gradient: Matrix, epsilon: Float, into destination: Matrix, accumulate: Bool
    ) {
        count()
        base.normalizeRowsGradient(
            normalized: normalized, norms: norms, gradient: gradient, epsilon: epsilon, into: destination,
            accumulate: accumulate)
    }
    package func gatherRows(_ table: Matrix, indices: Tensor, into destination: Matrix, accumulate: Bool) {
        count()
        base.gatherRows(table, indices: indices, into: destination, accumulate: accumulate)
    }
    package func scatterAddRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        count()
        base.scatterAddRows(source, indices: indices, into: destination)
    }
    package func scatterRows(_ source: Matrix, indices: Tensor, into destination: Matrix) {
        count()
        base.scatterRows(source, indices: indices, into: destination)
    }
    package func meanRows(_ x: Matrix, offsets: Tensor, into destination: Matrix) {
        count()
        base.meanRows(x, offsets: offsets, into: destination)
    }
    package func meanRowsGradient(_ gradient: Matrix, offsets: Tensor, into destination: Matrix, accumulate: Bool) {
        count()
        base.meanRowsGradient(gradient, offsets: offsets, into: destination, accumulate: accumulate)
    }
    package func patches(_ images: Tensor, patchSize: Int, into destination: Matrix) {
        count()
        base.patches(images, patchSize: patchSize, into: destination)
    }
    package func patchesGradient(_ gradient: Matrix, patchSize: Int, into destination: Tensor, accumulate: Bool) {
        count()
        base.patchesGradient(gradient, patchSize: patchSize, into: destination, accumulate: accumulate)
    }
    package func rotate(_ x: Matrix, headWidth: Int, positions: Tensor, table: Tensor, inverse: Bool) {
        count()
        base.rotate(x, headWidth: headWidth, positions: positions, table: table, inverse: inverse)
    }
    package func attention(
        query: Matrix, key: Matrix, value: Matrix, heads: HeadLayout, segments: AttentionSegments,
        into destination: Matrix, logSumExp: Tensor?
    ) {
        count()
        base.attention(
            query: query, key: key, value: value, heads: heads, segments: segments, into: destination,
            logSumExp: logSumExp)
    }
    package func attentionGradient(
        query: Matrix, key: Matrix, value: Matrix, output: Matrix, logSumExp: Tensor, gradient: Matrix,
        heads: HeadLayout, segments: AttentionSegments, intoQuery: Matrix, key intoKey: Matrix, value intoValue: Matrix
    ) {
        count()
        base.attentionGradient(
            query: query, key: key, value: value, output: output, logSumExp: logSumExp, gradient: gradient,
            heads: heads, segments: segments, intoQuery: intoQuery, key: intoKey, value: intoValue)
    }
    package func softmaxCrossEntropy(_ logits: Matrix, labels: Tensor, losses: Tensor, gradientScale: Float?) {
        count()
        base.softmaxCrossEntropy(logits, labels: labels, losses: losses, gradientScale: gradientScale)
    }
    package func softmax(_ logits: Matrix) {
        count()
        base.softmax(logits)
    }
    package func pairwiseSigmoidLoss(
        _ similarities: Matrix, targets: Matrix, temperature: Float, bias: Float, losses: Tensor
    ) {
        count()
        base.pairwiseSigmoidLoss(similarities, targets: targets, temperature: temperature, bias: bias, losses: losses)
    }
    package func sumOfSquares(_ tensors: [Tensor]) -> Double {
        count()
        return base.sumOfSquares(tensors)
    }
    package func adamW(_ slices: [AdamWSlice], settings: AdamWSettings) -> (any PendingUpdate)? {
        count()
        return base.adamW(slices, settings: settings)
    }
    package func lowRank(_ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, into y: Matrix) {
        count()
        base.lowRank(x, products, hidden: hidden, into: y)
    }
    package func lowRankGradient(
        _ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, gradient: Matrix,
        into destinations: [LowRankDestination], xGradient: (Matrix, accumulate: Bool)?
    ) {
        count()
        base.lowRankGradient(
            x, products, hidden: hidden, gradient: gradient, into: destinations, xGradient: xGradient)
    }
    package func widen(_ weights: CodedWeights, into destination: Tensor) {
        count()
        base.widen(weights, into: destination)
    }
    package func codedProduct(
        _ a: Matrix, _ weight: CodedMatrix, transposed: Bool, bias: Tensor?, addend: Matrix?, into c: Matrix,
        accumulate: Bool
    ) {
        count()
        base.codedProduct(
            a, weight, transposed: transposed, bias: bias, addend: addend, into: c, accumulate: accumulate)
    }
    /// None, so that kernels are counted one by one.
    package func tokenPass(through decoder: DecoderWeights) -> (any TokenPass)? { nil }
}
