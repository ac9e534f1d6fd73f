public import Basics
import Imaging

/// The synthetic picture set: a folder a split, with pictures, conversations, captions, questions and plain text.
///
/// Every picture and text is a function of seed, split and number alone, so any number of threads gives the same bytes.
public struct ShapeWorld: Sendable {
    /// The parts of the set.
    public enum Split: String, CaseIterable, Sendable {
        /// For training.
        case train
        /// For evaluation during training.
        case val
        /// For the final figure; combinations as in training.
        case test
        /// Each picture has a combination of shape and colour that training never shows.
        case novel

        var number: UInt64 {
            switch self {
            case .train: 0
            case .val: 1
            case .test: 2
            case .novel: 3
            }
        }
    }

    /// Seed of everything.
    public var seed: UInt64
    /// Side of the pictures in pixels.
    public var side: Int
    /// Pictures of each split; a split that is not named is not made.
    public var counts: [Split: Int]
    /// Lines of plain text beside the training pictures.
    public var corpusLines: Int
    /// Most shapes a picture has, 1 to 4.
    public var mostShapes = 4

    /// A world of `count` training pictures, and a tenth as many (at least 50) in each other split.
    public init(count: Int, seed: UInt64, side: Int = 64) {
        self.seed = seed
        self.side = side
        let other = max(50, count / 10)
        counts = [.train: count, .val: other, .test: other, .novel: other]
        corpusLines = count * 4
    }

    /// Checks the numbers.
    /// - Throws: `UserError` that says which limits hold.
    public func validate() throws(UserError) {
        guard (32...1024).contains(side) else {
            throw UserError("pictures of \(side) pixels are out of range", fix: "give a --size from 32 to 1024")
        }
        guard (1...4).contains(mostShapes) else {
            throw UserError("\(mostShapes) shapes a picture are out of range", fix: "give --shapes from 1 to 4")
        }
        for (split, count) in counts.sorted(by: { $0.key.number < $1.key.number }) {
            guard (1...10_000_000).contains(count) else {
                throw UserError("\(count) pictures of \(split.rawValue) are out of range", fix: "give 1 to 10,000,000")
            }
        }
    }

    static let describeQuestion = "Describe the picture."

    /// Ways of asking for a caption.
    static let captionQuestions = [
        describeQuestion, "Describe this picture in one sentence.", "What does the picture show?",
        "Write a caption for this picture.", "Give a short description of the picture.", "What can you see here?",
    ]

    /// Everything about one picture.
    struct Item: Sendable {
        var picture: [UInt8]
        var name: String
        var instruct: ConvertedRecord
        var caption: ConvertedRecord
        var statements: ConvertedRecord
        var questions: [SceneQuestion]
        var exactCaption: String
    }

    private static let stream: UInt64 = 64

    /// Makes one picture and its texts.
    func item(_ split: Split, _ number: Int) throws -> Item {
        var generator = RandomGenerator(
            seed: seed, stream: RandomStream.mixed(Self.stream, split.number, UInt64(number)))
        let scene = ShapeScene(
            palette: split == .novel ? .novel : .seen, most: mostShapes, generator: &generator)
        let image = ScenePainter(side: side).paint(scene, generator: &generator)
        let isJPEG = generator.below(4) == 0
        let digits = String(number)
        let stem = String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits
        let name = "images/\(stem).\(isJPEG ? "jpg" : "png")"
        let picture = isJPEG ? try image.encodedJPEG(quality: 92, subsampling: .none) : try image.encodedPNG()
        let captions = SceneCaptions(scene: scene)
        let id = "\(split.rawValue)-\(stem)"
        let questions = SceneQuestions(scene).draw(3 + generator.below(4), generator: &generator)
        var exchanges = questions.map { Exchange(question: $0.question, answer: $0.answer) }
        // Half of the conversations begin with a description.
        if generator.below(2) == 0 {
            exchanges.insert(Exchange(question: Self.describeQuestion, answer: captions.exact), at: 0)
        }
        let asked = Self.captionQuestions[generator.below(Self.captionQuestions.count)]
        let caption = Exchange(
            question: asked,
            answer: asked == Self.describeQuestion ? captions.exact : captions.varied(generator: &generator))
        let images: [ImageReference] = [.file(name)]
        return Item(
            picture: picture, name: name, instruct: ConvertedRecord(id: id, images: images, exchanges: exchanges),
            caption: ConvertedRecord(id: id, images: images, exchanges: [caption]),
            statements: ConvertedRecord(
                id: id, images: images,
                exchanges: [
                    Exchange(
                        question: "What is true of the picture?", answer: captions.statements.joined(separator: "\n"))
                ]),
            questions: questions, exactCaption: captions.exact)
    }

    /// One line of plain text: a description, often with a question and its answer behind it.
    func corpusLine(_ number: Int) -> String {
        var generator = RandomGenerator(seed: seed, stream: RandomStream.mixed(Self.stream, 9, UInt64(number)))
        let scene = ShapeScene(palette: .seen, most: mostShapes, generator: &generator)
        let captions = SceneCaptions(scene: scene)
        guard generator.below(3) > 0 else { return captions.varied(generator: &generator) }
        let pairs = SceneQuestions(scene).draw(1 + generator.below(3), generator: &generator)
        return ([captions.exact] + pairs.map { "\($0.question) \($0.answer)" }).joined(separator: " ")
    }
}
