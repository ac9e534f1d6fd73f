import ArgumentParser
import Basics
import Imaging
import InstructionData

/// `vitrail data validate`.
struct DataValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Read every record and decode every picture; exit 1 when anything is wrong.",
        discussion: """
            EXAMPLES
              vitrail data validate data/shapes/train
              vitrail data validate mix.json --images images --no-pictures --json
            """)

    @OptionGroup var options: DataOptions

    @Flag(inversion: .prefixedNo, help: "Decode the pictures too.")
    var pictures = true

    @Option(help: ArgumentHelp("Faults that are told word for word.", valueName: "n"))
    var show = 20

    func validate() throws { try (0...1_000_000_000).check(show, "--show") }

    func run() throws {
        let dataset = try options.open()
        var validation = DatasetValidation()
        if pictures { validation.checkPicture = { _ = try ImageDecoder.decode($0, source: $1) } }
        validation.keptFaults = show
        let report = try ProgressLine.running("record") { show in
            try validation.run(dataset, workers: options.workers) { try show($0, dataset.count) }
        }
        if options.json { Console.out(report.json.serialized()) } else { tell(report) }
        if report.faultCount > 0 { throw ExitCode(ExitStatus.failed) }
    }

    private func tell(_ report: DatasetValidation.Report) {
        for fault in report.first {
            Console.out("\(report.path):\(fault.line): \(fault.reason)")
            if let fix = fault.fix { Console.out("    fix: \(fix)") }
        }
        if report.faultCount > report.first.count {
            Console.out("… and \(Formatting.count(report.faultCount - report.first.count)) more")
        }
        if !report.kinds.isEmpty {
            let kinds = report.kinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            Console.table([["fault", "times"]] + kinds.map { [$0.key, Formatting.count($0.value)] }, to: Console.out)
        }
        for (repair, count) in report.repairs.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            Console.out("\(Formatting.count(count)) × \(repair.rawValue)")
        }
        let pictures = self.pictures ? ", \(report.pictures.counted("picture"))" : ""
        Console.out(
            "\(report.records.counted("record"))\(pictures): "
                + (report.faultCount == 0 ? "sound" : "\(report.faultCount.counted("fault"))"))
    }
}
