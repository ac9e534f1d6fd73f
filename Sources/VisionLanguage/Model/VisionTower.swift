public import NeuralNetwork
public import TensorCore

/// A vision transformer (Dosovitskiy et al. 2021): pictures → patches → hidden states.
///
///     picture [3, H, W] → patches [rows · columns, 3 · patch²] → linear + positions (+ class token) → blocks → norm
public final class VisionTower: Module {
    /// The tower's shape.
    public let configuration: VisionConfiguration
    /// Rows of the position table for the pictures it was made for.
    private let patchEmbedding: Linear
    private let classToken: Parameter?
    private let positions: Parameter
    private let preNorm: LayerNorm?
    private let blocks: [TransformerBlock<LayerNorm, MLP>]
    private let postNorm: LayerNorm
    /// SigLIP's pooling head, for contrastive training.
    public let head: AttentionPooling?
    /// Whether blocks are computed again in the backward pass instead of kept.
    public var recomputesActivations = false

    /// A new tower.
    public init(_ configuration: VisionConfiguration, _ initializer: Initializer) {
        self.configuration = configuration
        let hidden = configuration.hiddenSize
        let inputs = configuration.channels * configuration.patchSize * configuration.patchSize
        patchEmbedding = Linear(
            inputs: inputs, outputs: hidden, hasBias: configuration.hasPatchBias, initializer)
        classToken =
            configuration.hasClassToken ? initializer.normal([1, hidden], deviation: 0.02, decays: false) : nil
        let places = configuration.gridSize * configuration.gridSize + (configuration.hasClassToken ? 1 : 0)
        positions = initializer.normal([places, hidden], deviation: 1 / Float(hidden).squareRoot(), decays: false)
        func norm() -> LayerNorm { LayerNorm(columns: hidden, epsilon: configuration.normEpsilon, initializer) }
        preNorm = configuration.hasPreNorm ? norm() : nil
        let heads = HeadLayout(
            queryHeads: configuration.attentionHeads, keyValueHeads: configuration.attentionHeads,
            width: hidden / configuration.attentionHeads)
        // Residual branches start smaller in deep towers, so that the sum over blocks keeps its size (Radford et al. 2019).
        let gain = 1 / Float(2 * max(1, configuration.layers)).squareRoot()
        blocks = (0..<configuration.layers).map { _ in
            TransformerBlock(
                norm1: norm(),
                attention: Attention(
                    hiddenSize: hidden, heads: heads, hasInputBias: true, hasOutputBias: true, rotary: nil,
                    gain: gain, initializer),
                norm2: norm(),
                feedForward: MLP(
                    hiddenSize: hidden, intermediateSize: configuration.intermediateSize,
                    activation: configuration.activation, gain: gain, initializer))
        }
        postNorm = norm()
        head = configuration.hasPoolingHead ? AttentionPooling(configuration, initializer) : nil
    }

    /// Parameters by path.
    public var parameters: ParameterTree {
        [
            "patchEmbedding": patchEmbedding, "classToken": classToken, "positions": positions, "preNorm": preNorm,
            "layers": blocks, "postNorm": postNorm, "head": head,
        ]
    }

    /// Hidden states of the chosen layer, `[pictures · tokens, hidden]`, pictures one after another.
    ///
    /// - Parameters:
    ///   - pixels: `[pictures, channels, height, width]`, normalised; height and width multiples of the patch.
    ///   - captured: receives every block's input and the last output, for inspection.
    public func callAsFunction(
        _ pixels: Tensor, features: VisionFeatures, captured: ((Int, Tensor) -> Void)? = nil
    ) -> Tensor {
        let pictures = pixels.shape[0]
        let grid = (height: pixels.shape[2] / configuration.patchSize, width: pixels.shape[3] / configuration.patchSize)
        var h = embedded(pixels, pictures: pictures, grid: grid)
        if let preNorm { h = preNorm(h) }
        let tokens = h.shape.rows / pictures
        let context = AttentionContext(segments: .uniform(count: pictures, length: tokens))
        let count = features.blockCount(of: blocks.count)
        for (index, block) in blocks.prefix(count).enumerated() {
            captured?(index, h)
            if recomputesActivations {
                h = recomputed(h) { block($0, context, layer: index) }
            } else {
                h = block(h, context, layer: index)
            }
        }
        captured?(count, h)
        if features.appliesPostNorm { h = postNorm(h) }
        guard configuration.hasClassToken, features.dropsClassToken else { return h }
        let kept = (0..<pictures).flatMap { picture in (1..<tokens).map { Int32(picture * tokens + $0) } }
        return gatherRows(h, indices: Tensor(kept, on: h.backend))
    }

    /// One vector a picture, `[pictures, hidden]`: the normed class token (CLIP), the pooling head (SigLIP), or the mean.
    public func pooled(_ pixels: Tensor) -> Tensor {
        let pictures = pixels.shape[0]
        let states = self(pixels, features: VisionFeatures(appliesPostNorm: false, dropsClassToken: false))
        let tokens = states.shape.rows / pictures
        if configuration.hasClassToken {
            let first = Tensor((0..<pictures).map { Int32($0 * tokens) }, on: states.backend)
            return postNorm(gatherRows(states, indices: first))
        }
        let normed = postNorm(states)
        if let head { return head(normed, pictures: pictures) }
        return meanRows(normed, offsets: (0...pictures).map { Int32($0 * tokens) })
    }

    /// Patches, class tokens and positions, `[pictures · tokens, hidden]`.
    private func embedded(_ pixels: Tensor, pictures: Int, grid: (height: Int, width: Int)) -> Tensor {
        let patch = patchEmbedding(patches(pixels, patchSize: configuration.patchSize))
        let count = grid.height * grid.width
        let table = positionTable(for: grid)
        let backend = pixels.backend
        let extra = classToken == nil ? 0 : 1
        let tokens = count + extra
        var states = patch
        if let classToken {
            let rows = (0..<pictures).flatMap { picture in (0..<count).map { Int32(picture * tokens + 1 + $0) } }
            let ids = (0..<pictures * tokens).map { Int32($0 % tokens == 0 ? 0 : -1) }
            states = TensorCore.embedded(
                classToken.tensor, ids: Tensor(ids, on: backend), features: patch, rows: Tensor(rows, on: backend))
        }
        let places = (0..<pictures).flatMap { _ in (0..<Int32(tokens)) }
        return states + gatherRows(table, indices: Tensor(places, on: backend))
    }

    /// For each patch of a grid the row of a table of `side`² positions at the same fraction of its side.
    ///
    /// Exact fractions. The peers' are float32, which at a few sides (25, 29, 41, …) moves single patches to the row before.
    static func buckets(for grid: (height: Int, width: Int), side: Int) -> [Int32] {
        (0..<grid.height).flatMap { y in
            (0..<grid.width).map { x in Int32(y * side / grid.height * side + x * side / grid.width) }
        }
    }

    /// Positions for a grid; resampled, or the nearest ones taken, when it is not the one the tower was made for.
    private func positionTable(for grid: (height: Int, width: Int)) -> Tensor {
        let side = configuration.gridSize
        let table = positions.tensor
        guard grid != (side, side) else { return table }
        if configuration.positionRule == .bucketed, !configuration.hasClassToken {
            return gatherRows(table, indices: Tensor(Self.buckets(for: grid, side: side), on: table.backend))
        }
        guard configuration.hasClassToken else {
            return PositionInterpolation.resample(table, from: (side, side), to: grid)
        }
        let backend = table.backend
        let patchRows = Tensor((1...Int32(side * side)).map { $0 }, on: backend)
        let resampled = PositionInterpolation.resample(
            gatherRows(table, indices: patchRows), from: (side, side), to: grid)
        let count = grid.height * grid.width
        let ids = [Int32(0)] + [Int32](repeating: -1, count: count)
        return TensorCore.embedded(
            table, ids: Tensor(ids, on: backend), features: resampled,
            rows: Tensor((1...Int32(count)).map { $0 }, on: backend))
    }
}
