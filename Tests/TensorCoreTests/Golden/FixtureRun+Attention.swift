import Basics
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

extension FixtureRun {
    func rotary() throws {
        let width = try shape("in.q")[3]
        let positions = RotaryPositions(try integers("in.position_ids"), on: backend)
        let scaling: RotaryScaling =
            switch try #require(fixture.description["attrs"]?["rope_type"]?.string) {
            case "llama3":
                .llama3(
                    factor: try fixture.number("factor"), lowFrequencyFactor: try fixture.number("low_freq_factor"),
                    highFrequencyFactor: try fixture.number("high_freq_factor"),
                    originalPositions: Int(try fixture.number("original_max_position_embeddings")))
            default: .standard
            }
        let theta = try fixture.number("rope_theta")
        let rotary = RotaryEmbedding(headWidth: width, theta: theta, scaling: scaling, backend: backend)
        for name in ["q", "k"] {
            var x = try headInput(name)
            rotary(&x, columns: x.shape.columns, positions: positions)
            try output(name, x, isHeads: true)
        }
        // The pairs (1, 0) turn into (cos, sin).
        let tokens = positions.tensor.count
        let ones = [Float](repeating: 1, count: width / 2), zeros = [Float](repeating: 0, count: width / 2)
        var unit = Tensor((0..<tokens).flatMap { _ in ones + zeros }, shape: [tokens, width], on: backend)
        rotary(&unit, columns: width, positions: positions)
        let turned = unit.floats
        func half(_ part: Int) -> [Float] {
            (0..<tokens).flatMap { token -> [Float] in
                let start = token * width + part * width / 2
                let values = turned[start..<start + width / 2]
                return Array(values + values)
            }
        }
        keep("cos", half(0))
        keep("sin", half(1))
        let frequencies = RotaryEmbedding.frequencies(
            headWidth: width, theta: theta, scaling: scaling, length: positions.count)
        keep("inv_freq", frequencies.inverse.map(Float.init))
    }

    /// Masks of every kind as packed segments over the rows that are there.
    func attention() throws {
        let (q, k, v) = (try headInput("q"), try headInput("k"), try headInput("v"))
        let shape = try shape("in.q"), keyShape = try self.shape("in.k")
        let (batch, tokens, keys) = (shape[0], shape[2], keyShape[2])
        let heads = HeadLayout(queryHeads: shape[1], keyValueHeads: keyShape[1], width: shape[3])
        let isCausal = ["causal", "packed", "cache"].contains { fixture.name.contains($0) }
        if has("in.key_mask") {
            try output("y", padded(q, joinedColumns([k, v]), heads, batch, tokens, isCausal: isCausal), isHeads: true)
            return
        }
        if keys != tokens {
            let segments = AttentionSegments(
                queryOffsets: (0...batch).map { Int32($0 * tokens) }, keyStarts: (0..<batch).map { Int32($0 * keys) },
                keyCounts: Array(repeating: Int32(keys), count: batch), isCausal: isCausal)
            let y = TensorCore.attention(
                query: q, keyValue: joinedColumns([k, v]), heads: heads, segments: segments)
            try output("y", y, isHeads: true)
            return
        }
        var offsets = (0...batch).map { Int32($0 * tokens) }
        if has("in.segment") {
            let segment = try integers("in.segment")
            let starts = segment.indices.filter { $0 % tokens == 0 || segment[$0] != segment[$0 - 1] }
            offsets = starts.map { Int32($0) } + [Int32(batch * tokens)]
        }
        var prefixes: [Int32]?
        if has("in.prefix") { prefixes = try integers("in.prefix") }
        let segments = AttentionSegments(offsets: offsets, isCausal: isCausal, prefixCounts: prefixes)
        try output(
            "y", TensorCore.attention(joinedColumns([q, k, v]), heads: heads, segments: segments), isHeads: true)
    }

    /// Right padding, taken out of the keys before attention. The fixture computes padded queries too: under a causal mask they see
    /// all keys of their sequence, as a second call does here, so that each key row belongs to one segment of a call.
    private func padded(
        _ query: Tensor, _ keyValue: Tensor, _ heads: HeadLayout, _ batch: Int, _ tokens: Int, isCausal: Bool
    ) throws -> Tensor {
        let mask = try integers("in.key_mask")
        let lengths = (0..<batch).map { b in Int(mask[b * tokens..<(b + 1) * tokens].reduce(0, +)) }
        let kept = Tensor(mask.indices.filter { mask[$0] == 1 }.map { Int32($0) }, on: backend)
        let present = gatherRows(keyValue, indices: kept)
        let keyStarts = lengths.indices.map { Int32(lengths[..<$0].reduce(0, +)) }

        /// The rows of the queries for which `belongs` holds, and what they attend to.
        func attend(isCausal: Bool, _ belongs: (_ token: Int, _ length: Int) -> Bool) -> (Tensor, [Int]) {
            var rows: [Int] = []
            var offsets: [Int32] = [0]
            for b in 0..<batch {
                rows += (0..<tokens).filter { belongs($0, lengths[b]) }.map { b * tokens + $0 }
                offsets.append(Int32(rows.count))
            }
            let segments = AttentionSegments(
                queryOffsets: offsets, keyStarts: keyStarts, keyCounts: lengths.map { Int32($0) }, isCausal: isCausal)
            let chosen = gatherRows(query, indices: Tensor(rows.map { Int32($0) }, on: backend))
            return (
                TensorCore.attention(query: chosen, keyValue: present, heads: heads, segments: segments), rows
            )
        }

        guard isCausal else { return attend(isCausal: false) { _, _ in true }.0 }
        let (real, realRows) = attend(isCausal: true) { $0 < $1 }
        let (padding, paddingRows) = attend(isCausal: false) { $0 >= $1 }
        let order = realRows + paddingRows
        var places = [Int32](repeating: 0, count: order.count)
        for (position, row) in order.enumerated() { places[row] = Int32(position) }
        return gatherRows(joinedRows(real, padding), indices: Tensor(places, on: backend))
    }
}
