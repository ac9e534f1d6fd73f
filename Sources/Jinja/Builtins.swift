#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The functions that every template can call.
enum Builtins {
    /// What they are called.
    static let names: Set<String> = ["raise_exception", "strftime_now", "range", "namespace", "dict"]

    static func call(_ name: String, _ call: Interpreter.Call, _ interpreter: Interpreter) throws -> Value {
        switch name {
        case "raise_exception":
            throw Failure(call.positional.first?.text ?? "the template refuses its input", isRaised: true)
        case "strftime_now":
            return .string(format(call.positional.first?.text ?? "%Y-%m-%d", interpreter.time))
        case "namespace": return try interpreter.nested(.namespace(Value.Namespace(try entries(call))))
        case "dict":
            var result = Value.Dictionary()
            for entry in try entries(call) { result.set(.string(entry.name), entry.value) }
            return try interpreter.nested(.dictionary(result))
        default: return try range(call)
        }
    }

    private static func entries(_ call: Interpreter.Call) throws -> [(name: String, value: Value)] {
        var result: [(name: String, value: Value)] = []
        if case .dictionary(let members)? = call.positional.first {
            result = members.entries.map { ($0.key.text, $0.value) }
        }
        return result + call.named
    }

    private static func range(_ call: Interpreter.Call) throws -> Value {
        let bounds = try call.positional.map { value in
            guard let integer = value.asInteger, abs(integer / 2) < 1 << 40 else {
                throw Failure("range needs integers")
            }
            return integer
        }
        guard (1...3).contains(bounds.count) else { throw Failure("range takes one to three integers") }
        let step = bounds.count == 3 ? bounds[2] : 1
        guard step != 0 else { throw Failure("range's step cannot be 0") }
        let (start, end) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        guard abs(end - start) / abs(step) <= 100_000 else { throw Failure("a range of more than 100,000 numbers") }
        return .list(Swift.stride(from: start, to: end, by: step).map { .integer($0) })
    }

    /// A time as `strftime` writes it, in the local zone.
    private static func format(_ format: String, _ time: Int?) -> String {
        var seconds = time.map { time_t($0) } ?? now()
        var parts = tm()
        localtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 1024)
        let count = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Seconds since 1970.
    private static func now() -> time_t { time(nil) }
}
