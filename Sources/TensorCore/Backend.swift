/// What a processor must be able to do: memory, and about forty kernels the size of a network's operations.
///
/// Kernels take whole operations rather than arithmetic primitives (a norm with its gradient, attention over packed
/// segments, the optimizer's pass), because that is what a fused CPU kernel and a GPU kernel can both implement, and what the
/// reference back end can write down plainly. There are no default implementations: a missing kernel does not compile.
///
/// Conventions. Matrices are row-major; a kernel never allocates its results. `accumulate` adds to the destination instead of
/// overwriting it. Destinations do not overlap sources unless the documentation says "may be the same memory".
/// Values are float32 unless said. Shapes are the caller's responsibility and are checked where operations are defined
/// (`Operations/`), not in every back end. A fixed number of threads gives the same bits every time.
public protocol Backend: AnyObject {
    /// Short name for reports, such as "cpu" or "reference".
    var name: String { get }
    /// How many threads divide sums between them; results have equal bits where this is equal.
    var threads: Int { get }

    /// Calls `body` with 0, …, count − 1, side by side where there are threads. Kernels that it calls give the bits that they give
    /// elsewhere.
    ///
    /// - Parameter weights: float32 tensors that nobody changes meanwhile, and that products of several of these calls read.
    func sideBySide(_ count: Int, reading weights: [Tensor], _ body: @Sendable (Int) -> Void)

    /// Whether a small model's step is faster in parts of the batch, each by one thread, than kernel by kernel on all threads.
    var dividesSmallSteps: Bool { get }

    /// Rows up to which products stream weights past them as they lie, so that they had better be float32.
    var streamedRows: Int { get }

    // MARK: Memory

    /// Uninitialised memory from the pool, aligned to 64 bytes.
    func allocate(byteCount: Int) -> Storage
    /// Copies host bytes into the tensor.
    func upload(_ bytes: UnsafeRawBufferPointer, to tensor: Tensor)
    /// Copies the tensor's bytes to the host.
    func download(_ tensor: Tensor, to bytes: UnsafeMutableRawBufferPointer)
    /// Sets every float32 element.
    func fill(_ tensor: Tensor, _ value: Float)
    /// Copies elements of equal dtype and count.
    func copy(_ source: Tensor, into destination: Tensor)
    /// Converts between float32, float16, bfloat16 and the block forms, rounding to nearest even.
    func convert(_ source: Tensor, into destination: Tensor)

    // MARK: Elementwise

    /// destination = a + b; destination may be the same memory as either.
    func add(_ a: Tensor, _ b: Tensor, into destination: Tensor)
    /// destination = scale · source (+ destination); may be the same memory.
    func scale(_ source: Tensor, by factor: Float, into destination: Tensor, accumulate: Bool)
    /// destination = a ⊙ b (+ destination).
    func multiply(_ a: Tensor, _ b: Tensor, into destination: Tensor, accumulate: Bool)
    /// destination[r, c] = x[r, c] · vector[c] (+ destination); may be the same memory as x.
    func scaleColumns(_ x: Matrix, by vector: Tensor, into destination: Matrix, accumulate: Bool)
    /// destination[c] = Σ_r a[r, c] · b[r, c] (+ destination); without b, Σ_r a[r, c].
    func sumRows(_ a: Matrix, _ b: Matrix?, into destination: Tensor, accumulate: Bool)
    /// destination = function(x).
    func activation(_ function: Activation, _ x: Tensor, into destination: Tensor)
    /// destination = gradient ⊙ function′(x) (+ destination). Here and below, `value` receives what the function itself gives, bit for
    /// bit, where it is wanted: the gradient computes most of it anyway.
    func activationGradient(
        _ function: Activation, _ x: Tensor, gradient: Tensor, into destination: Tensor, accumulate: Bool,
        value: Tensor?
    )
    /// destination[r, f] = function(x[r, f]) · x[r, F + f]: gate and up side by side, `[rows, 2F]` → `[rows, F]`.
    func gatedActivation(_ function: Activation, _ x: Matrix, into destination: Matrix)
    /// Gradient of `gatedActivation` with respect to both halves, `[rows, 2F]`.
    func gatedActivationGradient(
        _ function: Activation, _ x: Matrix, gradient: Matrix, into destination: Matrix, accumulate: Bool,
        value: Matrix?
    )
    /// Zeroes elements with probability `rate` and scales the others by 1/(1−rate). Element i is decided by a counter-based
    /// hash of (seed, i), so that the same call reproduces the mask for the gradient. May be the same memory.
    func dropout(_ x: Tensor, rate: Float, seed: UInt64, into destination: Tensor, accumulate: Bool)

    // MARK: Products

    /// c = alpha · op(a) · op(b) + bias (+ c). Any of a and b may be float32, float16, bfloat16; b may be in block forms when it
    /// is transposed (a weight `[outputs, inputs]`). Sums in float32. The back end's precision decides how factors are rounded.
    func product(
        _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, bias: Tensor?, into c: Matrix,
        accumulate: Bool)
    /// Products one after another, with the bits of `product`. None reads what another writes, but several may add to the same c; those
    /// that do not may share a run of the threads.
    func products(_ calls: [ProductCall])

    /// y = function(x · weightᵀ + bias + addend), a linear map with what follows it, so that its result is written once. `weight` is
    /// `[outputs, inputs]` in any weight dtype; y is float32 or of `factorType`.
    func linearMap(
        _ x: Matrix, weight: Matrix, bias: Tensor?, addend: Matrix?, activation: Activation?, into y: Matrix)
    /// How results are best stored that nothing but products reads: bfloat16 where those round their factors to it anyway. Norms
    /// and activation functions write it too.
    var factorType: DType { get }

    // MARK: Norms

    /// destination = (x − mean) / √(variance + ε) · weight + bias, per row; `statistics` `[rows, 2]` keeps mean and 1/√(…).
    func layerNorm(
        _ x: Matrix, weight: Tensor, bias: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor)
    /// Gradients of `layerNorm` from one of float32 or bfloat16. Nil destinations are not computed.
    func layerNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix,
        into xGradient: (Matrix, accumulate: Bool)?, weightGradient: (Tensor, accumulate: Bool)?,
        biasGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, bias: Tensor, epsilon: Float)?)
    /// destination = x / √(mean(x²) + ε) · weight, per row; `statistics` `[rows]` keeps 1/√(…).
    func rmsNorm(_ x: Matrix, weight: Tensor, epsilon: Float, into destination: Matrix, statistics: Tensor)
    /// Gradients of `rmsNorm` from one of float32 or bfloat16. Nil destinations are not computed.
    func rmsNormGradient(
        _ x: Matrix, weight: Tensor, statistics: Tensor, gradient: Matrix, into xGradient: (Matrix, accumulate: Bool)?,
        weightGradient: (Tensor, accumulate: Bool)?, value: (into: Matrix, epsilon: Float)?)
    /// destination = x / max(‖x‖₂, ε) per row; `norms` `[rows]` keeps the lengths.
    func normalizeRows(_ x: Matrix, epsilon: Float, into destination: Matrix, norms: Tensor)
    /// Gradient of `normalizeRows`.
    func normalizeRowsGradient(
        normalized: Matrix, norms: Tensor, gradient: Matrix, epsilon: Float, into destination: Matrix, accumulate: Bool)

    // MARK: Rows

    /// destination[i] = table[indices[i]]; negative indices give zero rows. The table may be in any weight dtype.
    func gatherRows(_ table: Matrix, indices: Tensor, into destination: Matrix, accumulate: Bool)
    /// destination[indices[i]] += source[i] in increasing i; negative indices are skipped.
    func scatterAddRows(_ source: Matrix, indices: Tensor, into destination: Matrix)
    /// destination[indices[i]] = source[i]; negative indices are skipped, no index occurs twice. The destination is float32 or of
    /// `factorType`.
    func scatterRows(_ source: Matrix, indices: Tensor, into destination: Matrix)
    /// destination[s] = mean of rows offsets[s] ..< offsets[s+1] of x.
    func meanRows(_ x: Matrix, offsets: Tensor, into destination: Matrix)
    /// Gradient of `meanRows`: every row of segment s receives gradient[s] / count.
    func meanRowsGradient(_ gradient: Matrix, offsets: Tensor, into destination: Matrix, accumulate: Bool)
    /// Cuts images `[images, channels, height, width]` into rows `[images · patches, channels · patch · patch]`, patches row-major,
    /// elements in the order channel, y, x (the layout of a convolution's weight).
    func patches(_ images: Tensor, patchSize: Int, into destination: Matrix)
    /// Gradient of `patches`.
    func patchesGradient(_ gradient: Matrix, patchSize: Int, into destination: Tensor, accumulate: Bool)

    // MARK: Attention

    /// Turns pairs (x[i], x[i + width/2]) of every head by the angles of `positions` (`[rows]`, int32), in place (Su et al. 2021, the
    /// half-split layout of Hugging Face). `table` is `[positions, headWidth]`: cosines, then sines. `inverse` turns back.
    func rotate(_ x: Matrix, headWidth: Int, positions: Tensor, table: Tensor, inverse: Bool)
    /// Whether attention without a window rounds queries, keys and values to `factorType` anyway, so that they, the result and all
    /// gradients are best stored in it. Every back end takes them in either type.
    var attentionTakesFactors: Bool { get }
    /// softmax(scale · q kᵀ) v over packed segments; `logSumExp` `[queries, queryHeads]` is kept for the gradient.
    /// Query head h reads key/value head h / (queryHeads / keyValueHeads). Keys and values are float32 or of `factorType`.
    func attention(
        query: Matrix, key: Matrix, value: Matrix, heads: HeadLayout, segments: AttentionSegments,
        into destination: Matrix, logSumExp: Tensor?)
    /// Gradients of `attention`; the three destinations are overwritten. Every query and key row belongs to one segment.
    func attentionGradient(
        query: Matrix, key: Matrix, value: Matrix, output: Matrix, logSumExp: Tensor, gradient: Matrix,
        heads: HeadLayout,
        segments: AttentionSegments, intoQuery: Matrix, key intoKey: Matrix, value intoValue: Matrix)

    // MARK: Decoding

    /// A way for single tokens through a whole decoder, with the same bits as kernel after kernel; nil where there is none. The
    /// weights stay as they are while it is used.
    func tokenPass(through decoder: DecoderWeights) -> (any TokenPass)?

    // MARK: Losses

    /// losses[r] = logsumexp(logits[r]) − logits[r, labels[r]], 0 where labels[r] < 0. With `gradientScale`, logits are
    /// replaced by gradientScale · (softmax − onehot), zero rows where there is no label.
    func softmaxCrossEntropy(_ logits: Matrix, labels: Tensor, losses: Tensor, gradientScale: Float?)
    /// Rows become probabilities, in place.
    func softmax(_ logits: Matrix)
    /// SigLIP's pairwise loss (Zhai et al. 2023, eq. 1) over the similarities of n pictures and m texts, z = t·s + b with
    /// y = targets[r, c], +1 where the text is the picture's and −1 elsewhere: losses[r] = Σ_c −log σ(y z) / n.
    /// Similarities are replaced by d loss / d z.
    func pairwiseSigmoidLoss(
        _ similarities: Matrix, targets: Matrix, temperature: Float, bias: Float, losses: Tensor)

    // MARK: Optimizers

    /// Σ x² over all tensors, in double.
    func sumOfSquares(_ tensors: [Tensor]) -> Double
    /// One AdamW update of each slice (Loshchilov & Hutter 2019), as PyTorch computes it.
    ///
    /// - Returns: what is still under way, slice by slice in their order, nil when all is done. Gradients are read and nothing else may
    ///   touch the other tensors until a slice is done; who lets go of the update waits for all of it.
    func adamW(_ slices: [AdamWSlice], settings: AdamWSettings) -> (any PendingUpdate)?

    // MARK: Tuning

    /// h = x Aᵀ and y[columns] += scale · h Bᵀ for each of several low-rank products of one input: x `[rows, inputs]`, A `[rank, inputs]`,
    /// B `[outputs, rank]`, all h side by side `[rows, ranks]`, y `[rows, outputs of all maps]`. x and y are float32 or of `factorType`.
    func lowRank(_ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, into y: Matrix)
    /// Gradients of `lowRank`: with dh = scale · dy B, dA = dhᵀ x, dB = scale · dyᵀ h and dx = Σ dh A. Nil destinations are not
    /// computed.
    func lowRankGradient(
        _ x: Matrix, _ products: [LowRankProduct], hidden: Tensor, gradient: Matrix,
        into destinations: [LowRankDestination], xGradient: (Matrix, accumulate: Bool)?)
    /// destination = the float32 values of codes.
    func widen(_ weights: CodedWeights, into destination: Tensor)
    /// c = a · W (+ c), or where it is `transposed` a · Wᵀ + bias + addend, for weights `[rows, columns]` that are codes: the bits of
    /// `product` and `linearMap` with what `widen` makes of them. An addend only where c is not added to.
    func codedProduct(
        _ a: Matrix, _ weight: CodedMatrix, transposed: Bool, bias: Tensor?, addend: Matrix?, into c: Matrix,
        accumulate: Bool)
}
