import Basics
import VisionLanguage

/// Pictures and text of chance in the form that a model takes, for measurements.
struct RandomBatch {
    private let configuration: ModelConfiguration

    init(_ configuration: ModelConfiguration) { self.configuration = configuration }

    /// Sequences of a picture and text; the second half of the text carries loss.
    func training(size: Int, textTokens: Int) -> PackedBatch {
        var generator = RandomGenerator(seed: 1)
        let tokens = visualTokens
        var ids: [Int32] = []
        var labels: [Int32] = []
        var rows: [Int32] = []
        var offsets: [Int32] = [0]
        for _ in 0..<size {
            rows += (0..<tokens).map { Int32(ids.count + $0) }
            ids += [Int32](repeating: -1, count: tokens)
            labels += [Int32](repeating: -1, count: tokens)
            for index in 0..<textTokens {
                ids.append(token(&generator))
                let isSupervised = index >= textTokens / 2 && index + 1 < textTokens
                labels.append(isSupervised ? token(&generator) : -1)
            }
            offsets.append(Int32(ids.count))
        }
        return PackedBatch(ids: ids, labels: labels, offsets: offsets, pictures: pictures(size, rows, &generator))
    }

    /// Prompts of text, behind a picture each where `hasPicture`.
    func prompts(count: Int, textTokens: Int, hasPicture: Bool) -> [Prompt] {
        var generator = RandomGenerator(seed: 1)
        let tokens = hasPicture ? visualTokens : 0
        return (0..<count).map { _ in
            let text = (0..<textTokens).map { _ in token(&generator) }
            let rows = (0..<tokens).map { Int32($0) }
            return Prompt(
                ids: rows.map { _ in -1 } + text,
                pictures: hasPicture ? pictures(1, rows, &generator) : [])
        }
    }

    /// Pictures alone; `rows` says where their tokens stand.
    func pictures(_ count: Int, _ rows: [Int32], _ generator: inout RandomGenerator) -> [PictureGroup] {
        guard let vision = configuration.vision, count > 0 else { return [] }
        let side = vision.imageSize
        let pixels = (0..<count * vision.channels * side * side).map { _ in Float(generator.normal()) }
        return [PictureGroup(height: side, width: side, count: count, pixels: pixels, rows: rows)]
    }

    private var visualTokens: Int {
        configuration.vision.map { configuration.visualTokenCount(height: $0.imageSize, width: $0.imageSize) } ?? 0
    }

    private func token(_ generator: inout RandomGenerator) -> Int32 {
        Int32(generator.below(configuration.language.vocabularySize - 1))
    }
}
