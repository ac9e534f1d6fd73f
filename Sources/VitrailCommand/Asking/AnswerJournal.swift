import Basics

/// The lines that earlier calls have left in a file of answers.
struct AnswerJournal {
    /// One line.
    private struct Line {
        var number: Int
        /// What made it; nil in files of older versions.
        var mark: String?
        var hasFailed: Bool
    }

    private let path: String
    /// By id, in the order of the file.
    private var lines: [String: [Line]] = [:]

    /// Reads a file, if it is there; a last line that a kill tore is passed over.
    init(_ path: String) throws {
        self.path = path
        guard Files.exists(path) else { return }
        // Reading it would wait for what this very job is to write.
        guard Files.isRegularFile(path) || Files.isDirectory(path) else {
            throw UserError(
                "\(path) is a device or a pipe, of which no later call could go on",
                fix: "name a file, or leave --output out and take what --json prints")
        }
        for line in try Files.readLines(path, limit: .max, onlyEnded: true) {
            guard let record = try? JSON.parse(line.text, source: path), let id = record["id"]?.string,
                ["caption", "prediction", "error"].contains(where: { record[$0] != nil })
            else {
                throw UserError(
                    "\(path):\(line.number) is no answer, so this is no file to go on with",
                    fix: "name another file with --output, or delete that line")
            }
            lines[id, default: []].append(
                Line(number: line.number, mark: record["made_by"]?.string, hasFailed: record["error"] != nil))
        }
    }

    /// What is left to do.
    struct Remainder {
        /// Items without a line, by their place.
        var waiting: [WaitingItem] = []
        /// Of those that have one, how many have no answer.
        var failed = 0
    }

    /// Finds each item's line; the first of an id is the first item's that has this id.
    ///
    /// - Throws: `UserError` where a line was made by another model, for another question or with other settings.
    func remainder(of items: [AnswerItem], madeBy mark: AnswerMark?) throws -> Remainder {
        var remainder = Remainder()
        var taken: [String: Int] = [:]
        var unmarked = 0
        for (index, item) in items.enumerated() {
            let place = taken[item.id, default: 0]
            guard let own = lines[item.id], place < own.count else {
                remainder.waiting.append((index, item))
                continue
            }
            let line = own[place]
            taken[item.id] = place + 1
            if line.hasFailed { remainder.failed += 1 }
            guard let mark else { continue }
            guard let made = line.mark else {
                unmarked += 1
                continue
            }
            if let difference = AnswerMark.difference(made, mark.mark(item)) {
                throw UserError(
                    "\(path):\(line.number): the answer there for \(item.id) was made \(difference)",
                    fix: "name another file with --output, or delete \(path) to begin anew")
            }
        }
        if unmarked > 0 {
            Console.error(
                "\(path): \(unmarked.counted("line")) without a word of what made them, as older versions wrote; they stay as they are"
            )
        }
        return remainder
    }
}
