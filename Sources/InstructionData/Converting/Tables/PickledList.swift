package import Basics

/// A pickled list of plain values (Python's `pickle`, protocols 0 to 5), as RefCOCO publishes its references.
///
/// A pickle is a program for a stack machine, and one that names a class runs code when it is opened. This reads data
/// only: numbers, texts, true, false, none, lists, tuples and dictionaries with texts for keys. Everything else is an
/// error. Followed is the table of opcodes of CPython's `Lib/pickletools.py`.
package struct PickledList {
    /// Where reading failed, and why.
    package struct Fault: Error {
        /// What is wrong.
        package var reason: String
        /// What to do.
        package var fix: String
    }

    /// Whether a file begins as a pickle of a list does; JSON never does.
    static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first else { return false }
        return first == 0x80 || first == UInt8(ascii: "(") || first == UInt8(ascii: "]")
    }

    /// Larger files are refused: the largest published one takes less than half.
    static let sizeLimit = 128 << 20
    /// Lists within lists.
    static let depthLimit = 64
    /// What may be read out of a byte: shared texts and lists cost two bytes each time, and a list of lists of lists that
    /// share their members would have no end.
    static let expansionLimit = 64

    private let containers: [PickleMachine.Container]
    private let items: [PickleMachine.Value]
    private let budget: Int

    /// Reads a whole pickle.
    package init(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        guard bytes.count <= Self.sizeLimit else {
            throw Fault(
                reason: "a pickle of \(bytes.count) bytes is larger than \(Self.sizeLimit)",
                fix: "write its list as JSON with Python")
        }
        var machine = PickleMachine(bytes)
        guard case .container(let index) = try machine.run(), case .list(let items) = machine.containers[index] else {
            throw Fault(reason: "the pickle holds no list", fix: "name a file with a list of entries")
        }
        self.items = items
        containers = machine.containers
        budget = bytes.count * Self.expansionLimit + 4096
        // Once for all: an entry that is asked for later is known to end.
        var left = budget
        for item in items { try measure(item, depth: 1, left: &left) }
    }

    /// Entries of the list.
    package var count: Int { items.count }

    /// An entry as JSON.
    package func value(at position: Int) -> JSON { json(items[position]) }

    private func measure(_ value: PickleMachine.Value, depth: Int, left: inout Int) throws(Fault) {
        left -= 1
        switch value {
        case .null, .bool, .integer, .number: break
        case .text(let text): left -= text.utf8.count
        case .container(let index):
            guard depth < Self.depthLimit else {
                throw Fault(
                    reason: "the pickle nests deeper than \(Self.depthLimit) levels, or holds itself",
                    fix: "is this the published file?")
            }
            switch containers[index] {
            case .list(let members): for member in members { try measure(member, depth: depth + 1, left: &left) }
            case .dictionary(let members):
                for member in members {
                    left -= member.key.utf8.count
                    try measure(member.value, depth: depth + 1, left: &left)
                }
            }
        }
        guard left >= 0 else {
            throw Fault(
                reason: "the pickle's lists share their members so often that they would take over \(budget) bytes",
                fix: "is this the published file?")
        }
    }

    private func json(_ value: PickleMachine.Value) -> JSON {
        switch value {
        case .null: return nil
        case .bool(let bool): return .bool(bool)
        case .integer(let integer): return .integer(integer)
        case .number(let number): return .number(number)
        case .text(let text): return .string(text)
        case .container(let index):
            switch containers[index] {
            case .list(let members): return .array(members.map(json))
            case .dictionary(let members):
                var object = JSONObject()
                for member in members { object[member.key] = json(member.value) }
                return .object(object)
            }
        }
    }
}
