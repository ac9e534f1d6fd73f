import Basics
import TestSupport
import Testing
import Training

/// A frozen tower's features on disk change nothing but the time.
@Suite("Feature cache") struct FeatureCacheTests {
    /// Three passes over 24 pictures of 36 patches with a frozen tower.
    private let aligning = ["model.vision.image_size=48", "stages.align.steps=9"]

    @Test func cachedFeaturesGiveTheSameBits() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let plain = try run.train(run.recipe(aligning, stages: ["align"]), in: "plain")
            let recipe = try run.recipe(aligning + ["stages.align.cache_features=true"], stages: ["align"])
            let cached = try run.train(recipe, in: "cached")
            #expect(plain.count == 9)
            #expect(cached == plain)
            #expect(try run.weights("cached") == run.weights("plain"))
            // The last stage is done, and nobody needs them any more.
            #expect(!Files.exists(Paths.join(folder, "cached/features")))
        }
    }

    @Test func aStoppedRunFindsItsFeaturesAgain() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let plain = try run.train(run.recipe(aligning, stages: ["align"]), in: "plain")
            let recipe = try run.recipe(aligning + ["stages.align.cache_features=true"], stages: ["align"])
            let first = try run.train(recipe, in: "parts", stoppingAfter: 4)
            let towers = try Files.list(Paths.join(folder, "parts/features"))
            #expect(towers.count == 1)
            let files = try Files.list(Paths.join(folder, "parts/features", towers[0]))
            #expect(files.count == 24)
            // A damaged file is a picture that is computed again.
            let broken = Paths.join(folder, "parts/features", towers[0], files[0])
            try Files.write(Array(try Files.read(broken).dropLast(5)), to: broken)
            // So is one whose numbers say what its bytes do not hold, and one whole in itself that another tower could have written.
            func write(_ count: UInt64, _ columns: UInt64, _ values: Int, to name: String) throws {
                var bytes = Array("VTFEAT02".utf8)
                for number in [count, columns] {
                    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
                }
                bytes += [UInt8](repeating: 0, count: 4 * values)
                try Files.write(bytes, to: Paths.join(folder, "parts/features", towers[0], name))
            }
            // And one whose numbers are not those that were written.
            let changed = Paths.join(folder, "parts/features", towers[0], files[6])
            var bytes = try Files.read(changed)
            bytes[bytes.count - 2] ^= 0x40
            try Files.write(bytes, to: changed)
            try write(1 << 62 + 6, 3, 6, to: files[1])
            try write(6, 3, 6, to: files[2])
            try write(36, 36, 36, to: files[3])
            try write(0, 0, 0, to: files[4])
            try write(6, .max, 6, to: files[5])
            let more = try run.train(recipe, in: "parts", resuming: true, stoppingAfter: 4)
            // The tower is still the one that it was, and so are the pictures.
            #expect(try Files.list(Paths.join(folder, "parts/features")) == towers)
            #expect(try Files.list(Paths.join(folder, "parts/features", towers[0])) == files)
            let rest = more + (try run.train(recipe, in: "parts", resuming: true))
            #expect(first + rest == plain)
        }
    }

    @Test func aTrainedTowerIsRefused() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let recipe = try run.recipe([
                "stages.align.cache_features=true", "stages.align.train=[vision, projector]",
            ])
            let error = #expect(throws: UserError.self) { try run.train(recipe, in: "run") }
            #expect(error?.problem.contains("this stage trains it") == true)
            #expect(error?.fix?.contains("take vision out of train:") == true)
        }
    }

    @Test func augmentedPicturesAreRefused() throws {
        try withTemporaryFolder { folder in
            let run = try SmallRun(folder)
            let error = #expect(throws: (any Error).self) {
                try run.recipe(["stages.instruct.cache_features=true"])
            }
            #expect("\(error!)".contains("augment changes them"))
        }
    }
}
