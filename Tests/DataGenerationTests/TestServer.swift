import Basics
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An HTTP server of the tests' own, on a port of this machine: each request gets what a closure says.
final class TestServer: Sendable {
    /// What a request gets.
    enum Reply: Sendable {
        /// A whole answer.
        case answer(status: Int, body: String, headers: [String] = [])
        /// The head, and half of the body that the head promises.
        case half(String)
        /// The connection is closed without a word.
        case nothing
        /// Nothing until the server is stopped, then the connection is closed.
        case never
    }

    /// A request as it came.
    struct Request: Sendable {
        var head: String
        var body: JSON
    }

    private let socketNumber: Int32
    /// The port.
    let port: Int
    private let reply: @Sendable (Request, Int) -> Reply
    private let state = Mutex<[Request]>([])
    private let isStopped = Monitor(false)
    private let accepting = Mutex<WorkerThread?>(nil)

    /// The address of its API.
    var address: String { "http://127.0.0.1:\(port)/v1" }
    /// Requests that came, in order.
    var requests: [Request] { state.withLock { $0 } }

    init(_ reply: @escaping @Sendable (Request, Int) -> Reply) throws {
        self.reply = reply
        #if canImport(Glibc)
            socketNumber = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            socketNumber = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = socketNumber
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(number, address, size) == 0 && listen(number, 64) == 0 && getsockname(number, address, &size) == 0
            }
        }
        guard bound else { throw UserError("no port for the test's server") }
        port = Int(UInt16(bigEndian: address.sin_port))
        guard let thread = WorkerThread({ [self] in accept() }) else { throw UserError("no thread for the server") }
        accepting.withLock { $0 = thread }
    }

    /// Ends it, once. The socket is closed when nobody looks at it any more: its number may be another server's a moment later.
    func stop() {
        isStopped.update { $0 = true }
        accepting.withLock { $0?.join() }
        close(socketNumber)
    }

    private func accept() {
        while !isStopped.update({ $0 }) {
            var waiting = pollfd(fd: socketNumber, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 20) > 0 else { continue }
            #if canImport(Glibc)
                let connection = Glibc.accept(socketNumber, nil, nil)
            #else
                let connection = Darwin.accept(socketNumber, nil, nil)
            #endif
            // Whoever came has gone again, or there is no number left just now.
            guard connection >= 0 else { continue }
            _ = WorkerThread { [self] in
                serve(connection)
                close(connection)
            }
        }
    }

    private func serve(_ connection: Int32) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var bodyStart: Int?
        var length = 0
        while bodyStart == nil || bytes.count < (bodyStart ?? 0) + length {
            let count = recv(connection, &buffer, buffer.count, 0)
            if count <= 0 { return }
            bytes += buffer[..<count]
            if bodyStart == nil, let text = String(validating: bytes, as: UTF8.self), text.contains("\r\n\r\n") {
                let head = text.components(until: "\r\n\r\n")
                bodyStart = head.utf8.count + 4
                for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
                    length = Int(line.dropFirst(15).filter { $0 != " " }) ?? 0
                }
                if head.lowercased().contains("expect: 100-continue") {
                    say("HTTP/1.1 100 Continue\r\n\r\n", connection)
                }
            }
        }
        let start = bodyStart ?? 0
        let body = (try? JSON.parse(Array(bytes[start...]), source: "request")) ?? .null
        let request = Request(head: String(decoding: bytes[..<start], as: UTF8.self), body: body)
        let number = state.withLock { requests in
            requests.append(request)
            return requests.count - 1
        }
        switch reply(request, number) {
        case .answer(let status, let body, let headers):
            say(Self.head(status, body.utf8.count, headers) + body, connection)
        case .half(let body):
            say(Self.head(200, body.utf8.count, []) + String(body.prefix(body.count / 2)), connection)
        case .nothing: break
        case .never: isStopped.wait(until: { $0 }) { _ in }
        }
    }

    private static func head(_ status: Int, _ length: Int, _ headers: [String]) -> String {
        let lines =
            [
                "HTTP/1.1 \(status) X", "Content-Type: application/json", "Content-Length: \(length)",
                "Connection: close",
            ]
            + headers
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    private func say(_ text: String, _ connection: Int32) {
        let bytes = Array(text.utf8)
        var done = 0
        #if canImport(Glibc)
            let flags = Int32(MSG_NOSIGNAL)
        #else
            let flags: Int32 = 0
        #endif
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { send(connection, $0.baseAddress! + done, bytes.count - done, flags) }
            if count <= 0 { return }
            done += count
        }
    }

    /// A chat completion as servers answer.
    static func completion(_ text: String, finish: String = "stop", prompt: Int = 10, answer: Int = 5) -> String {
        let value: JSON = [
            "object": "chat.completion",
            "choices": [
                [
                    "index": 0, "finish_reason": .string(finish),
                    "message": ["role": "assistant", "content": .string(text)],
                ]
            ],
            "usage": ["prompt_tokens": .int(prompt), "completion_tokens": .int(answer)],
        ]
        return value.serialized()
    }
}

extension String {
    /// What stands before a mark.
    fileprivate func components(until mark: String) -> String {
        let bytes = Array(utf8)
        let pattern = Array(mark.utf8)
        for start in 0..<max(0, bytes.count - pattern.count + 1) where bytes[start...].starts(with: pattern) {
            return String(decoding: bytes[..<start], as: UTF8.self)
        }
        return self
    }
}
