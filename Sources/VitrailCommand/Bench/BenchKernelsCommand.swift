import ArgumentParser
import Basics
import CPUBackend

/// `vitrail bench kernels`.
struct BenchKernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Time every kernel beside the machine's limits.",
        discussion: """
            EXAMPLES
              vitrail bench kernels
              vitrail bench kernels --precision bfloat16 --threads 2 --json

            Over floor is the time over what the operations take at the measured product rate, or the bytes at the measured
            bandwidth, whichever is more. Below 1, the data came from the caches. "In registers" is what the cores multiply when
            nothing leaves their registers, which no product can exceed.
            """)

    @Option(help: ArgumentHelp("Calls of each kernel.", valueName: "n"))
    var repeats = 11

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var runtime: RuntimeOptions

    func validate() throws {
        try OptionRange.repeats.check(repeats, "--repeats")
    }

    func run() throws {
        let backend = runtime.backend()
        let limits = MachineLimits(of: backend)
        let results = KernelBenchmark.run(on: backend, repetitions: repeats)
        if json {
            let kernels = results.map { result -> JSON in
                [
                    "name": .string(result.name), "seconds": .number(result.seconds),
                    "gigaflops": .number(result.gigaflops), "gigabytes_per_second": .number(result.gigabytesPerSecond),
                    "over_floor": .number(result.overFloor(limits)),
                ]
            }
            let object: JSON = [
                "threads": .int(backend.threads), "instructions": .string(backend.instructionSet),
                "limits": .object(LimitFacts.json(limits)), "kernels": .array(kernels),
            ]
            Console.out(object.serialized())
            return
        }
        Console.out("\(backend.threads.counted("thread")), \(backend.instructionSet): \(LimitFacts.text(limits))\n")
        var rows = [["kernel", "µs", "GFLOP/s", "GB/s", "over floor"]]
        for result in results {
            rows.append([
                result.name, Formatting.decimal(result.seconds * 1e6, 1),
                result.operations > 0 ? Formatting.decimal(result.gigaflops, 0) : "",
                Formatting.decimal(result.gigabytesPerSecond, 1), Formatting.decimal(result.overFloor(limits), 2),
            ])
        }
        Console.table(rows, to: Console.out)
    }
}

/// The machine's limits for people and for programs.
enum LimitFacts {
    static func text(_ limits: MachineLimits) -> String {
        let rates = ProductPrecision.allCases.compactMap { precision in
            limits.productRates[precision].map { "\(Formatting.count($0 * 1e-9)) GFLOP/s \(precision.rawValue)" }
        }
        let registers = MachineLimits.RegisterNumber.allCases.compactMap { number in
            limits.registerRates[number].map { "\(Formatting.count($0 * 1e-9)) \(number.rawValue)" }
        }
        return "reads \(Formatting.decimal(limits.readBandwidth * 1e-9, 1)) GB/s, multiplies "
            + rates.joined(separator: ", ")
            + (registers.isEmpty ? "" : "; in registers \(registers.joined(separator: ", "))")
    }

    static func json(_ limits: MachineLimits) -> JSONObject {
        var object: JSONObject = ["read_bytes_per_second": .number(limits.readBandwidth)]
        for precision in ProductPrecision.allCases {
            if let rate = limits.productRates[precision] {
                object["\(precision.rawValue)_operations_per_second"] = .number(rate)
            }
        }
        for number in MachineLimits.RegisterNumber.allCases {
            if let rate = limits.registerRates[number] {
                object["registers_\(number.rawValue)_operations_per_second"] = .number(rate)
            }
        }
        return object
    }
}
