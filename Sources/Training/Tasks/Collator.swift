import Imaging
import InstructionData
import Tokenization
import VisionLanguage

/// Packs samples one after another into what the model takes.
struct Collator {
    /// How pictures stand in the text; nil for a language model alone.
    let layout: PictureLayout?

    /// One packed batch; visual tokens' ids become −1, and each row's label is the token after it, where that one carries loss.
    /// - Throws: for a picture's size that the processor cannot take.
    func pack(_ samples: ArraySlice<Sample>) throws -> PackedBatch {
        var ids: [Int32] = []
        var labels: [Int32] = []
        var offsets: [Int32] = [0]
        var collector = layout.map { PictureCollector($0) }
        ids.reserveCapacity(samples.reduce(0) { $0 + $1.text.ids.count })
        for sample in samples {
            let start = ids.count
            let text = sample.text
            ids += text.ids
            for (index, (picture, span)) in zip(sample.pixels, text.imageSpans).enumerated() {
                let size = index < sample.sizes.count ? sample.sizes[index] : PixelSize(width: 0, height: 0)
                try collector?.add(
                    picture, size: size, span: span.lowerBound + start..<span.upperBound + start, in: &ids)
            }
            for index in text.ids.indices {
                let next = index + 1
                labels.append(next < text.ids.count && text.supervised[next] ? text.ids[next] : -1)
            }
            offsets.append(Int32(ids.count))
        }
        return PackedBatch(ids: ids, labels: labels, offsets: offsets, pictures: collector?.groups ?? [])
    }

    /// The samples in the runs that are computed one after another: `parts` of about equal numbers of tokens, each of them
    /// cut where it would hold more than `tokens`. A sample above that is a run of its own.
    static func divided(_ samples: [Sample], into parts: Int, tokens limit: Int?) -> [ArraySlice<Sample>] {
        let runs = divided(samples, into: parts)
        guard let limit else { return runs }
        return runs.flatMap { run in
            var result: [ArraySlice<Sample>] = []
            var start = run.startIndex
            var tokens = 0
            for index in run.indices {
                let count = samples[index].text.ids.count
                if index > start, tokens + count > limit {
                    result.append(samples[start..<index])
                    (start, tokens) = (index, 0)
                }
                tokens += count
            }
            result.append(samples[start..<run.endIndex])
            return result
        }
    }

    /// The samples in `parts` runs of about equal numbers of tokens, in order.
    private static func divided(_ samples: [Sample], into parts: Int) -> [ArraySlice<Sample>] {
        guard parts > 1, samples.count > 1 else { return [samples[...]] }
        let total = samples.reduce(0) { $0 + $1.text.ids.count }
        var result: [ArraySlice<Sample>] = []
        var start = 0
        var tokens = 0
        for index in samples.indices {
            tokens += samples[index].text.ids.count
            let left = parts - result.count - 1
            if left > 0, tokens * parts >= total * (result.count + 1), samples.count - index - 1 >= left {
                result.append(samples[start...index])
                start = index + 1
            }
        }
        if start < samples.count { result.append(samples[start...]) }
        return result
    }
}
