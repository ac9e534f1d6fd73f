import Basics
import Evaluation
import TestSupport
import Testing

@Suite("caption metrics")
struct CaptionMetricTests {
    private func item(_ prediction: String, _ references: String...) -> Prediction {
        Prediction(id: "1", prediction: prediction, references: references)
    }

    private func scores(_ metric: any Metric, _ items: [Prediction]) throws -> [String: Double] {
        let scores = try metric.measure(items).scores()
        return Dictionary(scores.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("BLEU clips repeated words: two of seven")
    func bleuClips() throws {
        let found = try scores(
            BLEU(), [item("the the the the the the the", "the cat is on the mat", "there is a cat on the mat")])
        #expect(abs(try #require(found["bleu_1"]) - 2.0 / 7) < 1e-8)
    }

    @Test("BLEU punishes brevity by the corpus lengths, with the closest reference's length")
    func bleuBrevity() throws {
        // 3 words against references of 9 and 7: closest is 7, all words match: exp(1 - 7/3).
        let found = try scores(
            BLEU(), [item("a cat sat", "a cat sat on the mat by the door", "the cat was sitting on a mat")])
        #expect(abs(try #require(found["bleu_1"]) - 0.26359713811572677) < 1e-8)
    }

    @Test("BLEU is of the corpus, not the mean of its items")
    func bleuCorpus() throws {
        // Matches 3 + 1 of 3 + 3 words.
        let found = try scores(BLEU(), [item("a b c", "a b c"), item("a x y", "a b c")])
        #expect(abs(try #require(found["bleu_1"]) - 4.0 / 6) < 1e-8)
    }

    @Test("ROUGE-L by hand: reversed words share a subsequence of three of six")
    func rouge() throws {
        #expect(try scores(ROUGEL(), [item("mat the on sat cat the", "the cat sat on the mat")])["rouge-l"] == 0.5)
        #expect(try scores(ROUGEL(), [item("", "a red square")])["rouge-l"] == 0)
        // Precision 1, recall 1/4: 2.44 * 0.25 / (0.25 + 1.44).
        let found = try scores(ROUGEL(), [item("dog", "the dog is running")])
        #expect(abs(try #require(found["rouge-l"]) - 2.44 * 0.25 / 1.69) < 1e-12)
    }

    @Test("CIDEr by hand: one-word captions of two documents")
    func cider() throws {
        // Right: cosine 1 in the first of four orders, so 10 / 4. Wrong: 0.
        let found = CIDEr().measure([item("circle", "circle"), item("circle", "square")])
        #expect(abs(found.itemScores[0] - 2.5) < 1e-12)
        #expect(found.itemScores[1] == 0)
        #expect(CIDEr().measure([item("circle", "circle")]).itemScores == [0])
    }

    @Test(
        "caption words",
        arguments: [
            ("A dog's ball, on a T-shirt.", ["a", "dog", "'s", "ball", "on", "a", "t-shirt"]),
            ("He doesn't (really) care!", ["he", "does", "n't", "really", "care"]),
            ("It is 3.5 m & 10:30", ["it", "is", "3.5", "m", "&", "10:30"]),
            ("", []),
        ])
    func words(text: String, expected: [String]) {
        #expect(CaptionTokenizer.caption.words(text) == expected)
    }

    @Test("every score of coco-caption", .enabled(if: Fixtures.data("coco-caption-sample.json") != nil))
    func cocoCaption() throws {
        let path = try #require(Fixtures.data("coco-caption-sample.json"))
        let file = try JSON.read(path)
        let groups = try #require(file["groups"]?.array)
        #expect(!groups.isEmpty)
        let metrics: [any Metric] = [
            BLEU(tokenizer: .whitespace), ROUGEL(tokenizer: .whitespace), CIDEr(tokenizer: .whitespace),
        ]
        let keys = [
            "Bleu_1": "bleu_1", "Bleu_2": "bleu_2", "Bleu_3": "bleu_3", "Bleu_4": "bleu_4",
            "ROUGE_L": "rouge-l", "CIDEr": "cider",
        ]
        for group in groups {
            let entries = try #require(group["items"]?.array)
            let items = try entries.map { entry in
                Prediction(
                    id: "", prediction: try #require(entry["candidate"]?.string),
                    references: try texts(entry["references"]))
            }
            for metric in metrics {
                let measurement = try metric.measure(items)
                let corpus = Dictionary(uniqueKeysWithValues: measurement.scores().map { ($0.name, $0.value) })
                for (theirs, ours) in keys {
                    guard let value = corpus[ours] else { continue }
                    let label = Comment(rawValue: "\(group["name"]?.string ?? ""): \(theirs)")
                    #expect(abs(value - (try #require(group["corpus_scores"]?[theirs]?.double))) < 1e-9, label)
                    for (index, entry) in entries.enumerated() {
                        let scores = measurement.combine(measurement.statistics[index], 1)
                        let item = try #require(scores.first { $0.name == ours }).value
                        guard let expected = entry["scores"]?[theirs]?.double else { continue }
                        #expect(abs(item - expected) < 1e-9, label)
                    }
                }
            }
        }
    }

    @Test("words of plain captions", .enabled(if: Fixtures.data("coco-caption-sample.json") != nil))
    func cocoWords() throws {
        let path = try #require(Fixtures.data("coco-caption-sample.json"))
        let file = try JSON.read(path)
        for group in try #require(file["groups"]?.array) where group["name"]?.string != "nlg_eval_french" {
            for entry in try #require(group["items"]?.array) {
                guard let raw = entry["candidate_raw"]?.string else { continue }
                #expect(CaptionTokenizer.caption.words(raw).joined(separator: " ") == entry["candidate"]?.string)
            }
        }
    }
}
