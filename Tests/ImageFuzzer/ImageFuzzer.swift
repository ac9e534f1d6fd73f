import Basics
import Imaging

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Feeds mutated PNG and JPEG files to the reader: `ImageFuzzer COUNT SEED [FOLDER …]`.
///
/// The same count, seed and folders give the same inputs. Each input must be read or refused within the time limit, and
/// the process must stay within the memory limit; under the address sanitizer any wrong access ends it. An input that
/// breaks a rule is written to `fuzz-failure-<number>` in the current folder.
@main
enum ImageFuzzer {
    static let secondsPerInput = 10.0
    static let megabytes = 3_000

    static func main() {
        do {
            try run()
        } catch {
            print("error: \(error)")
            exit(1)
        }
    }

    private static func run() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3, let count = Int(arguments[1]), let seed = UInt64(arguments[2]) else {
            print("usage: ImageFuzzer COUNT SEED [FOLDER …]")
            exit(2)
        }
        let corpus = try Corpus(folders: Array(arguments.dropFirst(3)))
        print("corpus: \(corpus.files.count) files")
        var tally = Tally()
        let started = now()
        for number in 0..<count {
            var mutator = Mutator(seed: seed, number: number, corpus: corpus)
            let input = mutator.next()
            // A hang that the time check below never sees ends the process.
            alarm(UInt32(secondsPerInput * 6))
            let before = now()
            do {
                try Check.run(input, number: number, tally: &tally)
            } catch {
                try fail(number, input, "\(error)")
            }
            let seconds = now() - before
            tally.slowest = max(tally.slowest, seconds)
            if seconds > secondsPerInput { try fail(number, input, "took \(seconds) s") }
            if peakMegabytes() > megabytes { try fail(number, input, "\(peakMegabytes()) MB at the peak") }
            if (number + 1) % 10_000 == 0 { print("\(number + 1) inputs: \(tally)") }
        }
        alarm(0)
        print(
            "passed: \(count) inputs from seed \(seed) in \(Int(now() - started)) s; \(tally); "
                + "peak memory \(peakMegabytes()) MB")
    }

    private static func fail(_ number: Int, _ input: [UInt8], _ reason: String) throws -> Never {
        let path = "fuzz-failure-\(number)"
        try Files.write(input, to: path)
        print("FAILED: input \(number) (\(path)): \(reason)")
        exit(1)
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func peakMegabytes() -> Int {
        var usage = rusage()
        #if canImport(Glibc)
            // The name is an enumeration in Glibc's headers, and the parameter an integer.
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return usage.ru_maxrss / 1_024
        #else
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss / 1_048_576
        #endif
    }
}

/// What became of the inputs.
struct Tally: CustomStringConvertible {
    var read = 0
    /// Of those read, how many at an eighth of their size.
    var eighths = 0
    var refused = 0
    var slowest = 0.0

    var description: String {
        "\(read) read (\(eighths) at an eighth of their size), \(refused) refused, slowest \(Int(slowest * 1_000)) ms"
    }
}
