import ArgumentParser
import Basics
import CPUBackend
import Training

/// `vitrail bench growth`.
struct BenchGrowthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "growth",
        abstract: "Time training steps as batch, sequence, width and threads grow; draw curves.",
        discussion: """
            EXAMPLES
              vitrail bench growth
              vitrail bench growth --along batch,threads --output plots
              vitrail bench growth --along width --precision bfloat16 --json

            A step of a small model, batch 8 and 128 tokens a conversation where those do not grow. The floor is all of its matrix
            products by themselves. With --output each curve is an SVG file, growth-batch.svg and so on.
            """)

    @Option(help: ArgumentHelp("What grows, separated by commas.", valueName: "names"))
    var along = GrowthBenchmark.Axis.allCases.map(\.rawValue).joined(separator: ",")

    @Option(help: ArgumentHelp("Folder for the curves.", valueName: "folder"), completion: .directory)
    var output: String?

    @Option(help: ArgumentHelp("Timed steps of each size, after one of warm-up.", valueName: "n"))
    var steps = 5

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        try OptionRange.repeats.check(steps, "--steps")
        if try axes().isEmpty { throw ValidationError("--along names nothing. Give some of its default.") }
    }

    private func axes() throws -> [GrowthBenchmark.Axis] {
        try along.split(separator: ",").map { name in
            guard let axis = GrowthBenchmark.Axis(rawValue: String(name)) else {
                throw ValidationError(
                    "--along \(name): nothing of that name grows. Give batch, sequence, width or threads.")
            }
            return axis
        }
    }

    func run() throws {
        // Before the work, which would be lost where no folder can be made.
        var folder = try output.map { try AtomicFiles(in: $0) }
        let cores = runtime.threads ?? Parallel.processors
        var points: [GrowthBenchmark.Point] = []
        if !json {
            Console.out("along        size  precision     ms a step      floor     over   tokens/s      tensors")
        }
        for axis in try axes() {
            let benchmark = GrowthBenchmark(along: axis)
            for precision in runtime.precision.map({ [$0] }) ?? PrecisionOption.allCases {
                for size in benchmark.sizes(cores: cores) {
                    Console.status("measuring \(axis.rawValue) \(size), \(precision.rawValue)")
                    var alone = runtime
                    alone.threads = benchmark.threads(of: size, cores: cores)
                    alone.precision = precision
                    // Memory and threads of its own, so that one size leaves nothing to the next.
                    let backend = alone.backend()
                    let point = benchmark.measure(
                        size,
                        on: .init(backend, precision: precision.rawValue, peakBytes: { backend.peakBytes }),
                        steps: steps)
                    points.append(point)
                    Console.out(json ? point.json.serialized() : Self.row(point))
                }
            }
        }
        guard let output, var files = folder.take() else { return }
        let names = try axes().map { axis in
            let name = "growth-\(axis.rawValue).svg"
            try files.write(GrowthChart(points, along: axis).svg, to: name)
            return name
        }
        try files.commit()
        for name in names { Console.error(Paths.join(output, name)) }
    }

    private static func row(_ point: GrowthBenchmark.Point) -> String {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(1, width - text.count)) + text
        }
        return left(point.axis.rawValue, 10) + right(String(point.size), 7) + "  " + left(point.precision, 9)
            + right(Formatting.decimal(point.stepSeconds * 1e3, 2), 14)
            + right(Formatting.decimal(point.floorSeconds * 1e3, 2), 11)
            + right(Formatting.decimal(point.stepSeconds / point.floorSeconds, 2), 9)
            + right(Formatting.count(Double(point.tokens) / point.stepSeconds), 11)
            + right(Formatting.bytes(point.peakBytes), 13)
    }
}
