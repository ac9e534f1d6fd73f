import Basics

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// This program, run once more in a process of its own.
enum ChildProcess {
    /// How it ended.
    struct Status {
        /// Its exit status; nil when a signal ended it.
        var code: Int?
        /// Whether it was Ctrl-C.
        var isInterrupted: Bool
    }

    /// What it prints; its errors go where this process's go. Who calls listens to ``Interruption``, which ends it.
    ///
    /// - Throws: when no process can be started.
    static func output(_ words: [String]) throws -> (text: String, status: Status) {
        let command = ([executable] + words).map(quoted).joined(separator: " ")
        guard let pipe = popen("exec " + command, "r") else {
            throw UserError(
                "no process could be started: \(String(cString: strerror(errno)))", fix: "end other programs")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var results = pollfd(fd: fileno(pipe), events: Int16(POLLIN), revents: 0)
        while !Interruption.isRequested {
            guard poll(&results, 1, 100) > 0 else { continue }
            let count = read(results.fd, &buffer, buffer.count)
            if count > 0 { bytes += buffer[..<count] } else if count == 0 || errno != EINTR { break }
        }
        // Without a reader the child ends, too.
        let result = pclose(pipe)
        let signal = Int(result & 0x7f)
        let code = signal == 0 ? Int((result >> 8) & 0xff) : nil
        let isInterrupted =
            Interruption.isRequested || signal == Int(SIGINT) || code == Int(ExitStatus.interrupted)
        return (String(decoding: bytes, as: UTF8.self), Status(code: code, isInterrupted: isInterrupted))
    }

    /// In the child: ends it at Ctrl-C, and as soon as nobody is left to read what it prints, however the parent ended.
    /// - Parameter scratch: the parent's folder of what need not stay; gone then, too.
    static func endWithParent(removing scratch: String) {
        Interruption.listen()
        _ = WorkerThread {
            // A pipe without a reader is told of unasked.
            var results = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            while poll(&results, 1, 100) <= 0, !Interruption.isRequested {}
            // Another program in this one's place ends its other threads first, which may be about to write there.
            let script = "rm -rf -- \"$0\"; exit \(ExitStatus.interrupted)"
            let words: [String] = ["sh", "-c", script, scratch]
            execv("/bin/sh", words.map { strdup($0) } + [nil])
            _exit(ExitStatus.interrupted)
        }
    }

    /// A word as a shell reads it back.
    static func quoted(_ word: String) -> String {
        let isPlain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_=./,:+@%".contains($0)) }
        return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }

    /// The file of this program.
    private static var executable: String {
        var path = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        guard count > 0 else { return CommandLine.arguments[0] }
        return String(decoding: path[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
