import ArgumentParser
import Basics
import Training

/// `vitrail bench pictures`.
struct BenchPicturesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pictures", abstract: "Time a folder's pictures from bytes to the pixels of a SigLIP tower.",
        discussion: """
            EXAMPLES
              vitrail bench pictures photos/ --size 224 --threads 1
              vitrail bench pictures photos/ --size 224 --scaled --json

            Files are read once, before the clock starts. Without --scaled the pixels are those of Pillow, byte for byte.
            """)

    @Argument(help: "Folder with .jpg and .png files.", completion: .directory)
    var folder: String

    @Option(help: ArgumentHelp("Side of the square in pixels.", valueName: "n"))
    var size = 224

    @Option(help: ArgumentHelp("Passes over the folder, after one of warm-up.", valueName: "n"))
    var passes = 5

    @Flag(help: "Decode JPEG files at a half, a quarter or an eighth of their size where that is enough.")
    var scaled = false

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var threading: WorkerOptions

    func validate() throws {
        try (1...4_096).check(size, "--size")
        try OptionRange.repeats.check(passes, "--passes")
    }

    func run() throws {
        let workers = threading.workers
        let benchmark = try PictureBenchmark(folder: folder, side: size, scaled: scaled, workers: workers)
        let seconds = try benchmark.run(passes: passes)
        let rate = Double(benchmark.count) / seconds
        if json {
            let object: JSON = [
                "pictures": .int(benchmark.count), "size": .int(size), "scaled": .bool(scaled),
                "threads": .int(workers), "pictures_per_second": .number(rate),
                "milliseconds_per_picture": .number(1e3 * Double(workers) / rate),
            ]
            Console.out(object.serialized())
        } else {
            Console.out(
                "\(benchmark.count.counted("picture")) to \(size)×\(size), \(workers.counted("thread")): "
                    + "\(Formatting.decimal(rate, 1)) a second, "
                    + "\(Formatting.decimal(1e3 * Double(workers) / rate, 2)) ms of a thread each")
        }
    }
}
