import Basics

/// The stack machine of a pickle, with the opcodes of plain data only.
struct PickleMachine {
    typealias Fault = PickledList.Fault

    /// What stands on the stack; lists and dictionaries are shared, so they stand apart.
    enum Value {
        case null
        case bool(Bool)
        case integer(Int64)
        case number(Double)
        case text(String)
        case container(Int)
    }

    /// A list (a tuple is one too), or a dictionary in the order of the file.
    enum Container {
        case list([Value])
        case dictionary([(key: String, value: Value)])
    }

    private(set) var containers: [Container] = []
    private var stack: [Value] = []
    /// Heights of the stack at its marks.
    private var marks: [Int] = []
    private var memo: [Int: Value] = [:]
    private var reader: PickleBytes

    init(_ bytes: UnsafeRawBufferPointer) { reader = PickleBytes(bytes) }

    /// Runs to the end and gives what is on the stack then.
    mutating func run() throws(Fault) -> Value {
        while true {
            let start = reader.position
            let opcode = try reader.byte()
            if opcode == UInt8(ascii: ".") { return try pop() }
            if try plain(opcode) { continue }
            if try collect(opcode) { continue }
            if try remember(opcode) { continue }
            throw try refusal(opcode, at: start)
        }
    }

    // MARK: - Values

    /// Numbers, texts, true, false and none.
    private mutating func plain(_ opcode: UInt8) throws(Fault) -> Bool {
        switch opcode {
        case UInt8(ascii: "N"): stack.append(.null)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "I"):
            let text = try reader.line()
            stack.append(text == "01" ? .bool(true) : text == "00" ? .bool(false) : .integer(try integer(text)))
        case UInt8(ascii: "L"):
            let text = try reader.line()
            stack.append(.integer(try integer(text.hasSuffix("L") ? String(text.dropLast()) : text)))
        case UInt8(ascii: "J"): stack.append(.integer(Int64(Int32(truncatingIfNeeded: try reader.number(4)))))
        case UInt8(ascii: "K"): stack.append(.integer(Int64(try reader.number(1))))
        case UInt8(ascii: "M"): stack.append(.integer(Int64(try reader.number(2))))
        case 0x8A: stack.append(.integer(try reader.long(try reader.length(1))))
        case 0x8B: stack.append(.integer(try reader.long(try reader.length(4))))
        case UInt8(ascii: "F"):
            let text = try reader.line()
            guard let number = Double(text) else { throw reader.damaged("\"\(text)\" is no number") }
            stack.append(.number(number))
        case UInt8(ascii: "G"): stack.append(.number(Double(bitPattern: try reader.number(8).byteSwapped)))
        case UInt8(ascii: "S"): stack.append(.text(try reader.quotedLine()))
        case UInt8(ascii: "V"): stack.append(.text(try reader.escapedLine()))
        case UInt8(ascii: "U"): stack.append(.text(try reader.text(try reader.length(1))))
        case UInt8(ascii: "T"): stack.append(.text(try reader.text(try reader.length(4))))
        case UInt8(ascii: "X"): stack.append(.text(try reader.text(try reader.length(4))))
        case 0x8C: stack.append(.text(try reader.text(try reader.length(1))))
        case 0x8D: stack.append(.text(try reader.text(try reader.length(8))))
        default: return false
        }
        return true
    }

    private func integer(_ text: String) throws(Fault) -> Int64 {
        guard let value = Int64(text) else { throw reader.damaged("\"\(text)\" is no whole number of 64 bits") }
        return value
    }

    // MARK: - Lists and dictionaries

    private mutating func collect(_ opcode: UInt8) throws(Fault) -> Bool {
        switch opcode {
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "]"), UInt8(ascii: ")"): push(.list([]))
        case UInt8(ascii: "}"): push(.dictionary([]))
        case UInt8(ascii: "l"), UInt8(ascii: "t"): push(.list(try popToMark()))
        case 0x85...0x87: push(.list(try pop(Int(opcode - 0x84))))
        case UInt8(ascii: "d"):
            let members = try popToMark()
            push(.dictionary([]))
            try set(members)
        case UInt8(ascii: "a"): try append(try pop(1))
        case UInt8(ascii: "e"): try append(try popToMark())
        case UInt8(ascii: "s"): try set(try pop(2))
        case UInt8(ascii: "u"): try set(try popToMark())
        default: return false
        }
        return true
    }

    private mutating func push(_ container: Container) {
        containers.append(container)
        stack.append(.container(containers.count - 1))
    }

    /// The container on the top of the stack.
    private func top() throws(Fault) -> Int {
        guard stack.count > (marks.last ?? 0), case .container(let index)? = stack.last else {
            throw reader.damaged("there is nothing to add a member to")
        }
        return index
    }

    private mutating func append(_ members: [Value]) throws(Fault) {
        let index = try top()
        guard case .list(var list) = containers[index] else { throw reader.damaged("a dictionary is no list") }
        // Taken out while it grows, so that it is not copied.
        containers[index] = .list([])
        list += members
        containers[index] = .list(list)
    }

    private mutating func set(_ members: [Value]) throws(Fault) {
        let index = try top()
        guard case .dictionary(var dictionary) = containers[index], members.count.isMultiple(of: 2) else {
            throw reader.damaged("a list is no dictionary, or a key has no value")
        }
        containers[index] = .dictionary([])
        for position in stride(from: 0, to: members.count, by: 2) {
            guard case .text(let key) = members[position] else {
                throw Fault(
                    reason: "byte \(reader.position): a dictionary has a key that is no text",
                    fix: "is this the published file?")
            }
            dictionary.append((key, members[position + 1]))
        }
        containers[index] = .dictionary(dictionary)
    }

    // MARK: - The stack and the memo

    private mutating func remember(_ opcode: UInt8) throws(Fault) -> Bool {
        switch opcode {
        case 0x80:
            let version = try reader.byte()
            guard version <= 5 else { throw reader.damaged("protocol \(version) is unknown") }
        case 0x95: _ = try reader.number(8)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"):
            let value = try pop()
            stack += [value, value]
        case UInt8(ascii: "p"): try put(Int(try integer(try reader.line())))
        case UInt8(ascii: "q"): try put(Int(try reader.number(1)))
        case UInt8(ascii: "r"): try put(Int(try reader.number(4)))
        case 0x94: try put(memo.count)
        case UInt8(ascii: "g"): try get(Int(try integer(try reader.line())))
        case UInt8(ascii: "h"): try get(Int(try reader.number(1)))
        case UInt8(ascii: "j"): try get(Int(try reader.number(4)))
        default: return false
        }
        return true
    }

    private mutating func put(_ number: Int) throws(Fault) {
        guard stack.count > (marks.last ?? 0), let value = stack.last else {
            throw reader.damaged("there is nothing to remember")
        }
        memo[number] = value
    }

    private mutating func get(_ number: Int) throws(Fault) {
        guard let value = memo[number] else { throw reader.damaged("nothing was remembered as \(number)") }
        stack.append(value)
    }

    private mutating func pop() throws(Fault) -> Value {
        guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
            throw reader.damaged("the stack is empty")
        }
        return value
    }

    private mutating func pop(_ count: Int) throws(Fault) -> [Value] {
        guard stack.count - (marks.last ?? 0) >= count else { throw reader.damaged("the stack is empty") }
        let values = Array(stack.suffix(count))
        stack.removeLast(count)
        return values
    }

    private mutating func popToMark() throws(Fault) -> [Value] {
        guard let height = marks.popLast() else { throw reader.damaged("there is no mark") }
        let values = Array(stack[height...])
        stack.removeSubrange(height...)
        return values
    }

    // MARK: - What is refused

    /// Says what an opcode would have done.
    private mutating func refusal(_ opcode: UInt8, at start: Int) throws(Fault) -> Fault {
        let what: String
        switch opcode {
        case UInt8(ascii: "c"), UInt8(ascii: "i"):
            let (module, name) = (try reader.line(), try reader.line())
            what =
                "names the Python object " + "\(module).\(name)".prefix(80).filter { $0.isLetter || "._".contains($0) }
        case 0x93: what = "names a Python object"
        case UInt8(ascii: "R"), UInt8(ascii: "o"), 0x81, 0x92: what = "calls a Python object"
        case UInt8(ascii: "b"): what = "builds a Python object"
        case UInt8(ascii: "P"), UInt8(ascii: "Q"), 0x82, 0x83, 0x84: what = "asks for an object from outside"
        case UInt8(ascii: "B"), UInt8(ascii: "C"), 0x8E, 0x96, 0x97, 0x98: what = "holds bytes that are no text"
        case 0x8F, 0x90, 0x91: what = "holds a set"
        default:
            return reader.damaged("\(opcode) is no opcode of a pickle", at: start)
        }
        return Fault(
            reason: "byte \(start): the pickle \(what); only plain values are read, since anything else could run code",
            fix: "if you trust its source, write it as JSON with Python: json.dump(pickle.load(...), ...)")
    }
}
