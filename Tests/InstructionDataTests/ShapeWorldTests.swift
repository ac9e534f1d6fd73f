import Basics
import Imaging
import InstructionData
import TestSupport
import Testing

/// The synthetic set: the same bytes for any number of threads, and nothing in its texts that its pictures don't show.
@Suite struct ShapeWorldTests {
    private static func makeWorld(seed: UInt64 = 3, train: Int = 40) -> ShapeWorld {
        var world = ShapeWorld(count: train, seed: seed)
        world.counts = [.train: train, .test: 30, .novel: 30]
        world.corpusLines = 100
        return world
    }

    private func contents(_ folder: String, under prefix: String = "") throws -> [String: String] {
        var found: [String: String] = [:]
        for name in try Files.list(folder) {
            let path = Paths.join(folder, name)
            if Files.isDirectory(path) {
                found.merge(try contents(path, under: prefix + name + "/")) { a, _ in a }
            } else {
                found[prefix + name] = SHA256.hex(of: try Files.read(path))
            }
        }
        return found
    }

    private func lines(_ path: String) throws -> [JSON] {
        try Files.readText(path).split(separator: "\n").map { try JSON.parse(String($0), source: path) }
    }

    @Test func bytesDependOnTheSeedAndNotOnThreads() throws {
        let scratch = try Scratch()
        for workers in [1, 3] { try Self.makeWorld().write(to: scratch.file("w\(workers)"), workers: workers) }
        try Self.makeWorld(seed: 4).write(to: scratch.file("other"))
        let one = try contents(scratch.file("w1"))
        #expect(try contents(scratch.file("w3")) == one)
        let other = try contents(scratch.file("other"))
        #expect(other.keys.sorted() != one.keys.sorted() || other.values.sorted() != one.values.sorted())
        #expect(other["train/records.jsonl"] != one["train/records.jsonl"])
        // 100 pictures, four files of texts a split, the corpus and the manifest.
        #expect(one.count == 100 + 3 * 5 + 1 + 1)
    }

    @Test func firstPicturesDoNotChangeWithTheSize() throws {
        let scratch = try Scratch()
        try Self.makeWorld(train: 10).write(to: scratch.file("small"))
        try Self.makeWorld(train: 20).write(to: scratch.file("large"))
        let small = try contents(scratch.file("small/train/images"))
        let large = try contents(scratch.file("large/train/images"))
        for (name, digest) in small { #expect(large[name] == digest) }
    }

    @Test func everyFileIsReadByTheDatasetAndEveryPictureDecodes() throws {
        let scratch = try Scratch()
        let folder = scratch.file("w")
        try Self.makeWorld().write(to: folder)
        var endings: Set<String> = []
        for file in ["records", "captions"] {
            let dataset = try InstructionDataset(Paths.join(folder, "train", file + ".jsonl"))
            #expect(dataset.count == 40)
            for position in 0..<dataset.count {
                let record = try dataset.record(at: position)
                let image = try ImageDecoder.decode(path: record.images[0].path)
                #expect(image.width == 64 && image.height == 64)
                endings.insert(Paths.fileExtension(record.images[0].path))
            }
        }
        #expect(endings == ["png", "jpg"])
        #expect(try Files.readText(Paths.join(folder, "train/corpus.txt")).split(separator: "\n").count == 100)
        let manifest = try JSON.read(Paths.join(folder, "manifest.json"))
        #expect(manifest["seed"] == "3" && manifest["splits"]?["test"]?["pictures"] == 30)
    }

    // MARK: - Truth, checked from the pixels and from the description alone

    /// A shape as the exact description tells it.
    private struct Told {
        var size: String, color: String, shape: String, place: String
        var column: Int { place.hasSuffix("left") ? 0 : place.hasSuffix("right") ? 2 : 1 }
        var row: Int { place.hasPrefix("top") ? 0 : place.hasPrefix("bottom") ? 2 : 1 }

        /// `a small blue star at the top right`, `a large red ring in the center`
        init?(_ text: Substring) {
            let words = text.split(separator: " ").map(String.init)
            guard words.count >= 7, words[0].lowercased() == "a" else { return nil }
            (size, color, shape) = (words[1], words[2], words[3])
            place = words[6...].joined(separator: " ")
        }

        static func all(in description: String) -> [Told] {
            description.dropLast().replacing(" and a ", with: ", a ").split(separator: ", ").compactMap {
                Told($0.drop { $0 == " " })
            }
        }
    }

    private static let palette: [String: [Int]] = [
        "red": [214, 40, 40], "green": [36, 158, 66], "blue": [42, 82, 216], "yellow": [240, 214, 44],
        "purple": [140, 48, 172], "orange": [244, 130, 30], "black": [20, 20, 20], "white": [244, 244, 244],
    ]

    @Test func pixelsShowWhatTheDescriptionSays() throws {
        let scratch = try Scratch()
        try Self.makeWorld().write(to: scratch.file("w"))
        var checked = 0
        for split in ["train", "test", "novel"] {
            let folder = scratch.file("w/" + split)
            for line in try lines(Paths.join(folder, "describe.jsonl")) {
                let told = Told.all(in: line["answers"]?[0]?.string ?? "")
                #expect((1...4).contains(told.count), "\(line.serialized())")
                let image = try ImageDecoder.decode(path: Paths.join(folder, line["image"]?.string ?? ""))
                for object in told where told.count(where: { $0.color == object.color }) == 1 {
                    let color = try #require(Self.palette[object.color])
                    var xs: [Int] = []
                    var ys: [Int] = []
                    for y in 0..<64 {
                        for x in 0..<64 {
                            let pixel = image[x, y]
                            let near = zip([pixel.red, pixel.green, pixel.blue], color).allSatisfy {
                                abs(Int($0) - $1) < 40
                            }
                            if near {
                                xs.append(x)
                                ys.append(y)
                            }
                        }
                    }
                    // Medians, since faint strokes and smooth edges may have any colour.
                    let x = try #require(xs.sorted().dropFirst(xs.count / 2).first, "\(line.serialized())")
                    let y = try #require(ys.sorted().dropFirst(ys.count / 2).first)
                    func third(_ value: Int) -> Int { value < 25 ? 0 : value < 39 ? 1 : 2 }
                    #expect(third(x) == object.column && third(y) == object.row, "\(line.serialized()) \(x) \(y)")
                    checked += 1
                }
            }
        }
        #expect(checked > 120)
    }

    @Test func answersFollowFromTheDescription() throws {
        let scratch = try Scratch()
        try Self.makeWorld(train: 400).write(to: scratch.file("w"))
        let folder = scratch.file("w/train")
        var scenes: [String: [Told]] = [:]
        for line in try lines(Paths.join(folder, "describe.jsonl")) {
            scenes[line["image"]?.string ?? ""] = Told.all(in: line["answers"]?[0]?.string ?? "")
        }
        var kinds: [String: Int] = [:]
        var undecided = 0
        for line in try lines(Paths.join(folder, "questions.jsonl")) {
            let scene = try #require(scenes[line["image"]?.string ?? ""])
            let question = try #require(line["question"]?.string)
            let kind = try #require(line["kind"]?.string)
            let expected = Self.answer(kind, question, scene)
            if kind == "neighbour", expected == nil {
                // Two shapes of one column may still lie left and right of each other, which places don't tell.
                undecided += 1
                continue
            }
            #expect(expected == line["answers"]?[0]?.string, "\(question) \(scene) \(line.serialized())")
            kinds[kind, default: 0] += 1
        }
        let all = ["color", "comparison", "count", "neighbour", "place", "presence", "relation", "shape", "size"]
        #expect(kinds.keys.sorted() == all)
        #expect(kinds.values.allSatisfy { $0 >= 10 }, "\(kinds)")
        #expect(undecided * 10 <= kinds["neighbour"] ?? 0)
    }

    /// The shapes that a question names, in its order: by colour and kind, or by kind alone.
    private static func named(_ question: String, _ scene: [Told]) -> [Told] {
        let words = question.dropLast().split(separator: " ").map(String.init)
        return words.indices.compactMap { index in
            let color = index > 0 && palette[words[index - 1]] != nil ? words[index - 1] : nil
            let matches = scene.filter { $0.shape == words[index] && (color == nil || $0.color == color) }
            return matches.count == 1 ? matches[0] : nil
        }
    }

    private static func answer(_ kind: String, _ question: String, _ scene: [Told]) -> String? {
        let words = question.dropLast().split(separator: " ").map(String.init)
        let shapes = named(question, scene)
        let color = words.first { palette[$0] != nil }
        switch kind {
        case "color": return shapes.first?.color
        case "size": return shapes.first?.size
        case "place": return shapes.first?.place
        case "shape": return scene.first { $0.color == color }?.shape
        case "presence":
            return scene.contains { $0.color == color && words.contains($0.shape) } ? "yes" : "no"
        case "count":
            if let color { return String(scene.count { $0.color == color }) }
            let plural = words.first {
                $0 != "shapes"
                    && ($0 == "crosses" || ["circles", "squares", "triangles", "stars", "rings"].contains($0))
            }
            guard let plural else { return String(scene.count) }
            let kind = plural == "crosses" ? "cross" : String(plural.dropLast())
            return String(scene.count { $0.shape == kind })
        case "comparison":
            let same = words.contains("color") ? shapes[0].color == shapes[1].color : shapes[0].size == shapes[1].size
            return same ? "yes" : "no"
        case "relation":
            return holds(question, shapes[0], shapes[1]) ? "yes" : "no"
        case "neighbour":
            let others = scene.filter { holds(question, $0, shapes[0]) }
            return others.count == 1 ? "\(others[0].color) \(others[0].shape)" : nil
        default: return nil
        }
    }

    private static func holds(_ question: String, _ a: Told, _ b: Told) -> Bool {
        if question.contains("to the left of") { return a.column < b.column }
        if question.contains("to the right of") { return a.column > b.column }
        return question.contains("above") ? a.row < b.row : a.row > b.row
    }

    @Test func heldOutCombinationsAppearOnlyInNovel() throws {
        let scratch = try Scratch()
        try Self.makeWorld(train: 200).write(to: scratch.file("w"))
        let manifest = try JSON.read(scratch.file("w/manifest.json"))
        let heldOut = Set((manifest["held_out"]?.array ?? []).compactMap(\.string))
        #expect(heldOut.count == 6)
        for split in ["train", "test", "novel"] {
            for line in try lines(scratch.file("w/\(split)/describe.jsonl")) {
                let told = Told.all(in: line["answers"]?[0]?.string ?? "").map { "\($0.color) \($0.shape)" }
                #expect(told.contains { heldOut.contains($0) } == (split == "novel"), "\(line.serialized())")
            }
        }
    }

    @Test func numbersOutOfRangeAreRefusedAndNothingIsLeft() throws {
        let scratch = try Scratch()
        for world in [
            ShapeWorld(count: 0, seed: 1), ShapeWorld(count: 5, seed: 1, side: 8), ShapeWorld(count: -3, seed: 1),
        ] {
            let error = #expect(throws: UserError.self) { try world.write(to: scratch.file("w")) }
            #expect(error?.fix?.isEmpty == false)
        }
        #expect(throws: FileError.self) { try Self.makeWorld().write(to: "/proc/none/w") }
        #expect(try Files.list(scratch.path).isEmpty)
    }
}
