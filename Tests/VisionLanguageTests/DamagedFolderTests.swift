import Basics
import Imaging
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Tokenization
import VisionLanguage

/// More than three hundred ways in which a model's folder may be damaged: each is an error with a problem in words, in bounded time and
/// memory, and none a crash.
@Suite("Damaged folders", .serialized)
struct DamagedFolderTests {
    private static let cases = DamagedFolder.all

    @Test func thereAreThreeHundred() {
        #expect(Self.cases.count >= 300)
        #expect(Set(Self.cases.map(\.name)).count == Self.cases.count)
    }

    @Test func undamagedFoldersWork() throws {
        for family in DamagedFolder.families {
            try DamagedFolder("nothing", family) { _ in }.withFolder { folder in try Self.use(folder) }
        }
    }

    @Test(arguments: cases)
    func eachIsAnError(damage: DamagedFolder) throws {
        let start = ProcessorTime.ofThisThread
        try damage.withFolder { folder in
            let taken = memoryTaken(lessThan: 400 << 20) {
                do {
                    try Self.use(folder)
                    Issue.record("\(damage) was not noticed")
                } catch {
                    let problem = error as? any Problem
                    #expect(problem?.problem.isEmpty == false, "\(damage): \(type(of: error)) is no Problem: \(error)")
                }
            }
            #expect(taken < 400 << 20, "\(damage) took much memory")
        }
        #expect(ProcessorTime.ofThisThread - start < 20, "\(damage)")
    }

    /// What a user does with a folder: open it, and ask about a picture.
    private static func use(_ folder: String) throws {
        let bundle = try ModelBundle.open(folder, on: TestBackend.cpu.make())
        let answerer = try Answerer(bundle, GenerationSettings(maximumNewTokens: 2))
        var pictures: [ImageTiles] = []
        if let processor = bundle.processor {
            let file = try MappedFile(Paths.join(folder, "0.png"))
            pictures.append(try processor.tiles(decoding: file.bytes, source: "0.png"))
        }
        _ = try answerer.answer([Question("What is it?", pictures: pictures)])
    }
}
