import CKernels
public import TensorCore

extension CPUBackend {
    /// The whole decoder in one run of the pool, where weights of the format can be streamed in this precision.
    public func tokenPass(through decoder: DecoderWeights) -> (any TokenPass)? { CPUTokenPass(decoder, on: self) }
}

/// The kernels' form of a decoder.
final class CPUTokenPass: TokenPass {
    private let backend: CPUBackend
    /// Keeps the memory to which `kernelBlocks` points.
    private let decoder: DecoderWeights
    private var kernelBlocks: [vitrail_decoder_block] = []
    private var token = vitrail_decoder_token()

    init?(_ decoder: DecoderWeights, on backend: CPUBackend) {
        guard let first = decoder.blocks.first else { return nil }
        self.backend = backend
        self.decoder = decoder
        let heads = first.heads
        let inner = first.down.weight.shape.columns
        guard let head = map(decoder.head) else { return nil }
        token.head = head
        token.vocabulary = decoder.head.weight.shape.rows
        token.norm = UnsafePointer(decoder.norm.weight.floatPointer)
        token.epsilon = decoder.norm.epsilon
        token.block_count = decoder.blocks.count
        token.hidden = first.output.weight.shape.rows
        token.inner = inner
        token.query_heads = heads.queryHeads
        token.key_value_heads = heads.keyValueHeads
        token.width = heads.width
        token.scale = heads.scale
        for block in decoder.blocks {
            guard block.heads == heads, block.down.weight.shape.columns == inner,
                !block.gateUp.weight.dtype.isInBlocks || inner % 16 == 0,
                let queryKeyValue = map(block.queryKeyValue), let output = map(block.output),
                let gateUp = map(block.gateUp), let down = map(block.down)
            else { return nil }
            var kernel = vitrail_decoder_block()
            kernel.norm1 = UnsafePointer(block.norms[0].weight.floatPointer)
            kernel.epsilon1 = block.norms[0].epsilon
            kernel.norm2 = UnsafePointer(block.norms[1].weight.floatPointer)
            kernel.epsilon2 = block.norms[1].epsilon
            kernel.query_key_value = queryKeyValue
            kernel.output = output
            kernel.gate_up = gateUp
            kernel.down = down
            kernel.activation = block.activation.kernelKind
            kernel.window = block.window ?? 0
            kernelBlocks.append(kernel)
        }
    }

    private func map(_ map: MapWeights) -> vitrail_decoder_map? {
        guard let (weights, format) = backend.streamedForm(of: map.weight.matrix) else { return nil }
        return vitrail_decoder_map(
            weights: weights, bias: map.bias.map { UnsafePointer($0.floatPointer) },
            ldw: Int64(map.weight.shape.columns), format: format)
    }

    func takes(sequences: Int) -> Bool {
        withBlocks { sequences == 1 || vitrail_decodes_rows(&token, sequences) }
    }

    func callAsFunction(_ x: Tensor, caches: [Tensor], at places: [TokenPlace], into logits: Tensor) -> [Int] {
        precondition(caches.count == kernelBlocks.count, "\(caches.count) caches of \(kernelBlocks.count) blocks")
        precondition(
            x.count == places.count * token.hidden && logits.count == places.count * token.vocabulary,
            "\(x.shape) and \(logits.shape) of \(token.hidden) columns and \(token.vocabulary) logits")
        let rows = places.map { $0.firstKey + $0.keys }.max() ?? 0
        for (index, cache) in caches.enumerated() {
            precondition(
                rows <= cache.shape.rows && cache.shape.columns == 2 * token.key_value_heads * token.width,
                "a cache of another shape")
            kernelBlocks[index].cache = cache.matrix.eitherWindow
        }
        return withBlocks {
            let tokens = places.indices.map { kernelToken($0, at: places[$0], x, logits) }
            if tokens.count == 1 { return [vitrail_decode_token(backend.pool, tokens)] }
            var likeliest = [Int](repeating: 0, count: tokens.count)
            vitrail_decode_rows(backend.pool, tokens, tokens.count, &likeliest)
            return likeliest
        }
    }

    /// One sequence's token, row `index` of x and of the logits.
    private func kernelToken(
        _ index: Int, at place: TokenPlace, _ x: Tensor, _ logits: Tensor
    ) -> vitrail_decoder_token {
        precondition(place.keys > 0, "a token has a key")
        precondition(place.angles.map { $0.count == token.width } ?? true, "angles of another width")
        var row = token
        row.angles = place.angles.map { UnsafePointer($0.floatPointer) }
        row.first_key = place.firstKey
        row.keys = place.keys
        row.x = UnsafePointer(x.floatPointer) + index * token.hidden
        row.logits = logits.floatPointer + index * token.vocabulary
        return row
    }

    /// Lends the blocks to `token`.
    private func withBlocks<Result>(_ body: () -> Result) -> Result {
        kernelBlocks.withUnsafeBufferPointer {
            token.blocks = $0.baseAddress
            defer { token.blocks = nil }
            return body()
        }
    }
}
