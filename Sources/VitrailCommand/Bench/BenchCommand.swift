import ArgumentParser
import Basics
import Training
import VisionLanguage

/// `vitrail bench`.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine: kernels, training steps, generation, towers and pictures, beside its limits.",
        discussion: """
            EXAMPLES
              vitrail bench kernels
              vitrail bench step --preset smol --batch 4
              vitrail bench decode --precision bfloat16 --quantize q8

            Every figure stands beside its floor: operations over the machine's measured product rate, or bytes over its measured
            memory bandwidth. Figures of a machine that does something else as well are worth little; compare figures of one run.
            """,
        subcommands: [
            BenchKernelsCommand.self, BenchStepCommand.self, BenchDecodeCommand.self, BenchTowerCommand.self,
            BenchPicturesCommand.self, BenchTokenizerCommand.self, BenchGrowthCommand.self, BenchQualityCommand.self,
        ])
}

/// A preset by name.
enum PresetOption: String, ExpressibleByArgument, CaseIterable {
    case smol, tiny

    var preset: ModelPreset { self == .smol ? .smol : .tiny }
}

/// Rows of a table of where the time goes.
enum ProfileTable {
    static func show(_ parts: [(name: String, seconds: Double, calls: Int)]) {
        let total = parts.reduce(0) { $0 + $1.seconds }
        var rows = [["where the time goes", "ms", "share", "calls"]]
        for part in parts {
            rows.append([
                part.name, Formatting.decimal(part.seconds * 1e3, 2),
                Formatting.decimal(100 * part.seconds / max(total, 1e-12), 1) + " %", Formatting.count(part.calls),
            ])
        }
        Console.table(rows, to: Console.out)
    }
}

/// All products of a piece of work by themselves, beside that work.
enum FloorFacts {
    static func text(_ floor: FloorTurns, _ operations: Double, of work: String) -> String {
        "floor: all products alone \(Formatting.decimal(floor.floorSeconds * 1e3, 1)) ms at "
            + "\(Formatting.count(operations / floor.floorSeconds * 1e-9)) GFLOP/s; the \(work) is "
            + "\(Formatting.decimal(floor.overFloor, 2)) times that"
    }

    static func json(_ floor: FloorTurns, _ operations: Double) -> [(key: String, value: JSON)] {
        [
            ("floor_s", .number(floor.floorSeconds)), ("over_floor", .number(floor.overFloor)),
            ("over_floors", .array(floor.overFloors.map { .number($0) })),
            ("product_gflops", .number(operations / floor.floorSeconds * 1e-9)),
        ]
    }
}
