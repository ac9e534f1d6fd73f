import Basics
import Foundation
import Imaging
import InstructionData
import Testing

/// ROUGE-L, MinHash and perceptual hashes against rouge-score, datasketch and imagehash, as
/// Scripts/reference/make_cleaning_fixtures.py wrote them down; a larger set of it in the folder VITRAIL_CLEANING is read too.
@Suite struct CleaningReferenceTests {
    private static let folders: [String] =
        [Paths.join(Paths.parent(#filePath), "Fixtures/cleaning")]
        + [ProcessInfo.processInfo.environment["VITRAIL_CLEANING"]].compactMap { $0 }

    private func content(_ folder: String) throws -> JSON { try JSON.read(Paths.join(folder, "cleaning.json")) }

    @Test(arguments: folders) func rougeL(_ folder: String) throws {
        let pairs = try #require(try content(folder)["texts"]?.array)
        for pair in pairs {
            let first = WordSequence(pair["first"]?.string ?? "", cut: .ascii)
            let second = WordSequence(pair["second"]?.string ?? "", cut: .ascii)
            let expected = try #require(pair["rouge_l"]?.double)
            // The same counts, divided in another order.
            #expect(abs(SubsequenceMatcher(first).rougeL(with: second) - expected) < 1e-12)
            #expect(SubsequenceMatcher(second).exceeds(0.7, with: first) == (expected > 0.7))
        }
        #expect(pairs.count >= 40)
    }

    @Test(arguments: folders) func minHash(_ folder: String) throws {
        let content = try content(folder)
        func numbers(_ key: String) -> [UInt64] {
            content[key]?.array?.compactMap { $0.string.flatMap { UInt64($0) } } ?? []
        }
        let hasher = MinHash(multipliers: numbers("multipliers"), offsets: numbers("offsets"))
        try #require(hasher.multipliers.count == 128)
        let own = MinHash()
        var (theirs, ours) = (0.0, 0.0)
        for pair in content["texts"]?.array ?? [] {
            guard let expected = pair["jaccard"]?.double else { continue }
            let sets = ["first", "second"].map {
                WordSequence(pair[$0]?.string ?? "", cut: .ascii).shingles(of: 3)
            }
            #expect(WordSequence.jaccard(sets[0], sets[1]) == expected)
            let signatures = sets.map { hasher.signature(of: $0) }
            #expect(signatures[0].prefix(8).map { Int($0) } == pair["signature"]?.array?.compactMap(\.int))
            let estimate = MinHash.similarity(signatures[0], signatures[1])
            #expect(estimate == pair["estimate"]?.double)
            theirs = max(theirs, abs(estimate - expected))
            let mine = MinHash.similarity(own.signature(of: sets[0]), own.signature(of: sets[1]))
            ours = max(ours, abs(mine - expected))
        }
        // 128 permutations have a standard error of at most 0.044; four and a half of them for the worst of all pairs.
        #expect(ours < 0.2 && theirs < 0.2)
    }

    @Test(arguments: folders) func perceptualHashes(_ folder: String) throws {
        for pair in try content(folder)["pictures"]?.array ?? [] {
            let names = pair["names"]?.array?.compactMap(\.string) ?? []
            let hashes = try names.map { try PerceptualHash(ImageDecoder.decode(path: Paths.join(folder, $0))) }
            #expect(hashes.map(\.description) == pair["hashes"]?.array?.compactMap(\.string), "\(names)")
            #expect(hashes[0].distance(to: hashes[1]) == pair["distance"]?.int)
        }
    }
}
