public import Basics
import CHTTP

/// An OpenAI-compatible endpoint: `POST <address>/chat/completions`.
///
/// The key comes from the environment, goes into one header, and appears in no message, file or list of processes.
public struct EndpointWriter: CompletionWriter {
    /// The model's name as the server knows it.
    public let model: String
    private let address: String
    private let key: String?
    private let timeout: Double
    private let stop: Stop

    /// The largest answer that is read.
    private static let bodyLimit = 64 << 20

    /// An endpoint.
    ///
    /// - Parameters:
    ///   - address: for example `http://localhost:8000/v1`.
    ///   - key: sent as `Authorization: Bearer`; nil for servers that want none.
    ///   - timeout: seconds for a whole answer.
    ///   - isCancelled: asked about once a second while an answer is on its way; true gives it up.
    /// - Throws: `UserError` when the address is none, or libcurl is not there.
    public init(
        _ address: String, model: String, key: String?, timeout: Double = 120,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws(UserError) {
        guard address.hasPrefix("http://") || address.hasPrefix("https://"), !address.contains("@") else {
            throw UserError("\"\(address)\" is no endpoint", fix: "write it as http://localhost:8000/v1")
        }
        if let key, key.utf8.contains(where: { $0 < 33 || $0 > 126 }) {
            throw UserError(
                "the key holds characters that no key has", fix: "set it again, without spaces or line ends")
        }
        var message = [CChar](repeating: 0, count: 256)
        if vitrail_http_available(&message, message.count) == 0 {
            let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw UserError(
                "libcurl can't be used: \(reason)", fix: "install it, on Debian with: apt-get install libcurl4")
        }
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
        self.model = model
        self.key = key
        self.timeout = timeout
        stop = Stop(isAsked: isCancelled)
    }

    /// What a transfer asks whether it is to end.
    private final class Stop: Sendable {
        let isAsked: @Sendable () -> Bool

        init(isAsked: @escaping @Sendable () -> Bool) { self.isAsked = isAsked }
    }

    /// Asks once.
    public func complete(_ request: CompletionRequest) throws(CompletionFailure) -> Completion {
        let body = Self.body(request, model: model).serialized()
        var headers = ["Content-Type: application/json", "Accept: application/json", "User-Agent: vitrail"]
        if let key { headers.append("Authorization: Bearer \(key)") }
        let reply = try post(body, headers)
        return try Self.completion(reply.body, status: reply.status, retryAfter: reply.retryAfter, hiding: key)
    }

    /// The request as OpenAI's chat completions have it; pictures as `data:` addresses.
    static func body(_ request: CompletionRequest, model: String) -> JSON {
        let messages = request.messages.map { message -> JSON in
            if message.pictures.isEmpty { return ["role": .string(message.role), "content": .string(message.text)] }
            let pictures = message.pictures.map { picture -> JSON in
                let address = "data:image/\(picture.type);base64,\(HTML.base64(picture.bytes))"
                return ["type": "image_url", "image_url": ["url": .string(address)]]
            }
            return [
                "role": .string(message.role),
                "content": .array(pictures + [["type": "text", "text": .string(message.text)]]),
            ]
        }
        let sampling = request.sampling
        var object: JSONObject = [
            "model": .string(model), "messages": .array(messages), "max_tokens": .int(sampling.maximumTokens),
            "temperature": .number(sampling.temperature), "top_p": .number(sampling.topP),
        ]
        if sampling.presencePenalty != 0 { object["presence_penalty"] = .number(sampling.presencePenalty) }
        if !sampling.stop.isEmpty { object["stop"] = .array(sampling.stop.map { .string($0) }) }
        return .object(object)
    }

    private func post(
        _ body: String, _ headers: [String]
    ) throws(CompletionFailure) -> (status: Int, body: [UInt8], retryAfter: Double?) {
        var response = vitrail_http_response()
        var body = body
        let question = vitrail_http_stop(
            is_asked: { Unmanaged<Stop>.fromOpaque($0!).takeUnretainedValue().isAsked() ? 1 : 0 },
            context: Unmanaged.passUnretained(stop).toOpaque())
        let result = body.withUTF8 { bytes -> Int32 in
            let copies = headers.map { header in header.withCString { duplicated($0) } }
            defer { for copy in copies { copy.deallocate() } }
            let pointers = copies.map { UnsafePointer<CChar>?($0) }
            return pointers.withUnsafeBufferPointer { list in
                bytes.withMemoryRebound(to: CChar.self) { text in
                    vitrail_http_post(
                        address + "/chat/completions", list.baseAddress, list.count, text.baseAddress, text.count,
                        Int(timeout * 1000), 15_000, Self.bodyLimit, question, &response)
                }
            }
        }
        defer { vitrail_http_free(&response) }
        let message = withUnsafeBytes(of: response.message) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if result != 0 { throw CompletionFailure(.fatal, message) }
        let retryAfter = response.retry_after >= 0 ? response.retry_after : nil
        // CURLE_UNSUPPORTED_PROTOCOL and CURLE_URL_MALFORMAT: no attempt will mend the address.
        if [1, 3].contains(response.failure) { throw CompletionFailure(.fatal, message) }
        // A transfer that broke off is tried again whatever its status was.
        if response.failure != 0 { throw CompletionFailure(.transient(after: retryAfter), message) }
        let received = UnsafeRawBufferPointer(start: response.body, count: response.length)
        return (Int(response.status), Array(received), retryAfter)
    }

    /// Reads an answer, and sorts failures by what they mean; a server may repeat the key, which is told to nobody.
    static func completion(
        _ body: [UInt8], status: Int, retryAfter: Double?, hiding key: String? = nil
    ) throws(CompletionFailure) -> Completion {
        func said() -> String {
            let value = try? JSON.parse(body, source: "answer")
            let text =
                value?["error"]?["message"]?.string ?? value?["error"]?.string ?? value?["message"]?.string
                ?? value?["detail"]?.serialized() ?? String(validating: body, as: UTF8.self)
            var line = (text ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
            if let key, !key.isEmpty { line = line.replacing(key, with: "…") }
            // A page of a proxy or of another server tells nobody anything.
            return line.isEmpty || line.hasPrefix("<") ? "" : ": " + line.prefix(200)
        }
        switch status {
        case 200...299: break
        case 408, 425, 429, 500...599:
            throw CompletionFailure(.transient(after: retryAfter), "status \(status)\(said())")
        case 300...399:
            throw CompletionFailure(
                .fatal, "status \(status): the address leads elsewhere, and a key goes nowhere else")
        case 401, 403, 404, 405: throw CompletionFailure(.fatal, "status \(status)\(said())")
        default: throw CompletionFailure(.refused, "status \(status)\(said())")
        }
        guard let value = try? JSON.parse(body, source: "answer") else {
            throw CompletionFailure(.transient(after: nil), "the answer is no JSON")
        }
        guard let choice = value["choices"]?[0], let content = choice["message"]?["content"] ?? choice["text"] else {
            throw CompletionFailure(.transient(after: nil), "the answer holds no text\(said())")
        }
        let parts = (content.array ?? []).compactMap { $0["text"]?.string }
        // Without text, as of a model that thought until its limit, it is paid for all the same and would come again.
        return Completion(
            text: content.string ?? parts.joined(), finish: choice["finish_reason"]?.string ?? "stop",
            promptTokens: Completion.tokens(value["usage"]?["prompt_tokens"]),
            completionTokens: Completion.tokens(value["usage"]?["completion_tokens"]))
    }
}

/// A copy of a C string that outlives the call it was lent for.
private func duplicated(_ text: UnsafePointer<CChar>) -> UnsafeMutablePointer<CChar> {
    var count = 0
    while text[count] != 0 { count += 1 }
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: count + 1)
    copy.update(from: text, count: count + 1)
    return copy
}
