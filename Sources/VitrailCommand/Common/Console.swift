import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the user sees: results on standard output, everything else on standard error.
enum Console {
    /// Whether standard error is a terminal that takes colours and moving lines.
    static let isTerminal = isatty(STDERR_FILENO) == 1 && !isDumb
    /// Whether colours are wanted: a terminal, and no NO_COLOR (no-color.org).
    static let usesColor = isTerminal && (environment("NO_COLOR") ?? "").isEmpty
    /// Whether standard output is a terminal.
    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
    private static let errorsAreSeen = isatty(STDERR_FILENO) == 1

    /// Takes the places of standard streams that are closed, so that no data file gets one and is sent messages.
    ///
    /// Results that nobody takes stay an error: what stands for standard output cannot be written.
    static func keepStandardStreams() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest free number is given, which is this one.
            _ = open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// A line of results.
    static func out(_ text: String) {
        clearStatus()
        write((outputIsTerminal ? harmless(text) : text) + "\n", to: STDOUT_FILENO)
    }

    /// Results without an end of line, for streaming.
    static func stream(_ text: String) { write(outputIsTerminal ? harmless(text) : text, to: STDOUT_FILENO) }

    /// A line about progress or trouble.
    static func error(_ text: String) {
        clearStatus()
        write((errorsAreSeen ? harmless(text) : text) + "\n", to: STDERR_FILENO)
    }

    /// A line that the next one replaces; nothing when standard error is no terminal.
    static func status(_ text: String) {
        guard isTerminal else { return }
        hasStatus = true
        write("\r\u{1B}[K" + harmless(text).prefix(columns - 1), to: STDERR_FILENO)
    }

    /// A problem and its fix.
    static func report(_ problem: any Problem) {
        let lines = problem.problem.split(separator: "\n", omittingEmptySubsequences: false)
        for line in lines { error(colored("error: ", .red) + harmless(String(line), colors: false)) }
        for line in (problem.fix ?? "").split(separator: "\n") {
            error(colored("fix: ", .green) + harmless(String(line), colors: false))
        }
    }

    /// Text with names of files, data, or a model's or server's words in it, without the characters that a terminal obeys but for
    /// ends of lines and, with `colors`, those of ``Color``.
    private static func harmless(_ text: String, colors: Bool = true) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            scalar.properties.generalCategory == .control && scalar != "\t" && scalar != "\n"
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var shown = ""
        var rest = text.unicodeScalars[...]
        while let scalar = rest.first {
            if colors, let code = codes.first(where: { rest.starts(with: $0.unicodeScalars) }) {
                shown += code
                rest = rest.dropFirst(code.unicodeScalars.count)
                continue
            }
            if isControl(scalar) {
                shown += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
            rest = rest.dropFirst()
        }
        return shown
    }

    /// Text in a colour, where colours are wanted.
    static func colored(_ text: String, _ color: Color) -> String {
        usesColor ? code(color.rawValue) + text + code(0) : text
    }

    private static func code(_ number: Int) -> String { "\u{1B}[\(number)m" }
    private static let codes = [code(0)] + Color.allCases.map { code($0.rawValue) }

    enum Color: Int, CaseIterable {
        case red = 31
        case green = 32
        case yellow = 33
        case blue = 36
        case dim = 2
        case bold = 1
    }

    /// Rows as columns of equal width; the first row is the heading, numbers stand to the right.
    static func table(_ rows: [[String]], to print: (String) -> Void = error) {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        for (index, row) in rows.enumerated() {
            let cells = row.enumerated().map { column, cell in
                let pad = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + pad : pad + cell
            }
            let line = cells.joined(separator: "  ")
            print(index == 0 ? colored(line, .bold) : line)
        }
    }

    /// Names and values, a line each.
    static func facts(_ facts: [(name: String, value: String)]) {
        let width = facts.map(\.name.count).max() ?? 0
        for (name, value) in facts {
            out(colored(name, .bold) + String(repeating: " ", count: width - name.count + 2) + value)
        }
    }

    static func flush() { clearStatus() }

    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Whether results that cannot be written are only noted in ``loss``, since there is work to be saved before the end.
    nonisolated(unsafe) static var savesFirst = false
    /// Why results could not be written, a number of the system's; nil while they can.
    nonisolated(unsafe) static private(set) var loss: Int32?

    /// Ends the process where results could not be written, which can't be made up for.
    static func endWithoutOutput() {
        guard let code = loss else { return }
        // Whoever read results has enough of them: head, for example. Ends as a shell expects it of any program.
        if code == EPIPE { endUnread() }
        report(
            UserError(
                FileError("write", "standard output", code: code).problem,
                fix: "name a file or pipe that can be written, or free some space where it goes"))
        exit(ExitStatus.failed)
    }

    // One thread draws: the one that runs the command.
    nonisolated(unsafe) private static var hasStatus = false

    private static var isDumb: Bool { environment("TERM") == "dumb" }

    private static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 100 }
        return Int(size.ws_col)
    }

    private static func clearStatus() {
        guard hasStatus else { return }
        hasStatus = false
        write("\r\u{1B}[K", to: STDERR_FILENO)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        if descriptor == STDOUT_FILENO, loss != nil { return }
        var text = text
        text.withUTF8 { bytes in
            var done = 0
            while done < bytes.count {
                let count = writeBytes(descriptor, bytes.baseAddress! + done, bytes.count - done)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    let code = errno
                    // Nobody listens to messages any more; results that are lost are a failure.
                    guard descriptor == STDOUT_FILENO else { return }
                    loss = code
                    if !savesFirst { endWithoutOutput() }
                    return
                }
                done += count
            }
        }
    }
}

/// Ends the process as a pipe without a reader does unless that is ignored.
private func endUnread() -> Never {
    signal(SIGPIPE, SIG_DFL)
    raise(SIGPIPE)
    exit(128 + SIGPIPE)
}

/// `write`, under a name that the type's own method does not hide.
private func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
