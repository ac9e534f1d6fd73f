import Testing
import Tokenization

/// Rendering of each template: strings, ids, loss mask, pictures, truncation.
@Suite struct ChatTemplateTests {
    static let names = ChatTemplateName.allCases.filter { ![.plain, .llama3, .paliGemma].contains($0) }

    static func tokenizer(for name: ChatTemplateName) throws -> Tokenizer {
        try Tokenizer(folder: TestFiles.fixture(name == .chatML ? "byte-level" : "byte-fallback"))
    }

    static let conversation = Conversation([
        Turn(role: .system, content: "Be brief."),
        Turn(role: .user, content: "<image>\nWhat colour is the circle?"),
        Turn(role: .assistant, content: "Red."),
        Turn(role: .user, content: "And here? <image> </s><|im_end|>"),
        Turn(role: .assistant, content: "It's  blue."),
    ])

    @Test(arguments: [
        (ChatTemplateName.vicuna, "Be brief. USER: <image>\nWhat? ASSISTANT: Red.</s>USER: Sure? ASSISTANT: Yes</s>"),
        (
            .chatML,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<image>\nWhat?<|im_end|>\n<|im_start|>assistant\n"
                + "Red.<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n"
        ),
        (
            .llama2,
            "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n<image>\nWhat? [/INST] Red. </s><s>[INST] Sure? [/INST] Yes </s>"
        ),
        (
            .llama3,
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>"
                + "\n\n<image>\nWhat?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nRed.<|eot_id|>"
                + "<|start_header_id|>user<|end_header_id|>\n\nSure?<|eot_id|><|start_header_id|>assistant"
                + "<|end_header_id|>\n\nYes<|eot_id|>"
        ),
    ])
    func textIsTheFamilys(name: ChatTemplateName, expected: String) throws {
        let conversation = Conversation([
            Turn(role: .system, content: "Be brief."), Turn(role: .user, content: "<image>\nWhat?"),
            Turn(role: .assistant, content: "Red."), Turn(role: .user, content: "Sure?"),
            Turn(role: .assistant, content: "Yes"),
        ])
        #expect(try name.template.renderText(conversation) == expected)
    }

    @Test(arguments: names)
    func answersAndTheirEndTokensCarryLossAndNothingElse(name: ChatTemplateName) throws {
        let tokenizer = try Self.tokenizer(for: name)
        let image = try #require(tokenizer.id("<image>"))
        let rendered = try name.template.render(
            Self.conversation, tokenizer: tokenizer, imageTokenCounts: [3, 5], imageTokenID: image)
        let learned = zip(rendered.ids, rendered.supervised).filter(\.1).map(\.0)
        let end = name == .chatML ? "<|im_end|>" : "</s>"
        let blank = name == .chatML ? "" : " "
        let trailing = name == .llama2 ? " " : ""
        #expect(
            tokenizer.decode(learned, skipSpecialTokens: false)
                == "\(name == .chatML ? "" : "")\(blank)Red.\(trailing)\(end)\(blank)It's  blue.\(trailing)\(end)"
                .trimmingOneLeadingSpace(name != .chatML))
        #expect(rendered.imageSpans.map(\.count) == [3, 5])
        for span in rendered.imageSpans {
            #expect(rendered.ids[span].allSatisfy { $0 == image })
            #expect(rendered.supervised[span].allSatisfy { !$0 })
        }
        // The user's "</s><|im_end|>" stayed text: the only end tokens are the template's.
        let ends = rendered.ids.count { $0 == tokenizer.id(end) }
        #expect(ends == (name == .chatML ? 5 : 2))
    }

    @Test(arguments: names)
    func promptIsAnExactPrefixOfTraining(name: ChatTemplateName) throws {
        let tokenizer = try Self.tokenizer(for: name)
        for answer in ["Red.", " leading", "\nnewline", "", "a", "'s", "7", "。", "</s>"] {
            var conversation = Self.conversation
            conversation.turns[4].content = answer
            for boundary in [RenderOptions.Boundary.tokenizer, .llava] {
                let options = RenderOptions(boundary: boundary)
                let whole = try name.template.render(
                    conversation, tokenizer: tokenizer, imageTokenCounts: [2, 4], imageTokenID: 9, options: options)
                let prompt = try name.template.renderPrompt(
                    conversation, tokenizer: tokenizer, imageTokenCounts: [2, 4], imageTokenID: 9, options: options)
                #expect(whole.ids.starts(with: prompt.ids))
                #expect(prompt.imageSpans == whole.imageSpans)
                // What follows the prompt is the last answer: all supervised up to its end token.
                #expect(whole.supervised[prompt.ids.count])
                #expect(
                    whole.supervised[prompt.ids.count...].count { $0 } == whole.supervisedCount
                        - firstAnswerCount(whole))
                // Without the last answer the same conversation gives the same prompt.
                conversation.turns.removeLast()
                let asked = try name.template.renderPrompt(
                    conversation, tokenizer: tokenizer, imageTokenCounts: [2, 4], imageTokenID: 9, options: options)
                #expect(asked == prompt)
                conversation.turns.append(Turn(role: .assistant, content: answer))
            }
        }
    }

    /// Supervised tokens of the first answer: the first supervised run.
    private func firstAnswerCount(_ rendered: RenderedConversation) -> Int {
        guard let start = rendered.supervised.firstIndex(of: true) else { return 0 }
        return rendered.supervised[start...].prefix { $0 }.count
    }

    /// `{picture}<bos>{question}\n{answer}<eos>`, as `PaliGemmaProcessor` joins them.
    @Test func paliGemmaHasOneQuestionBehindThePictures() throws {
        let tokenizer = try Self.tokenizer(for: .paliGemma)
        let (bos, eos) = (try #require(tokenizer.bosID), try #require(tokenizer.eosID))
        let conversation = Conversation([
            Turn(role: .user, content: "<image>\nWhat is it?"), Turn(role: .assistant, content: "a circle"),
        ])
        let template = ChatTemplateName.paliGemma.template
        let rendered = try template.render(
            conversation, tokenizer: tokenizer, imageTokenCounts: [3], imageTokenID: 9)
        let prompt = try template.renderPrompt(
            conversation, tokenizer: tokenizer, imageTokenCounts: [3], imageTokenID: 9)
        #expect(prompt.ids.prefix(4) == [9, 9, 9, bos])
        #expect(tokenizer.decode(Array(prompt.ids.dropFirst(4))).hasSuffix("What is it?\n"))
        #expect(rendered.ids.starts(with: prompt.ids) && rendered.ids.last == eos)
        #expect(rendered.supervised == rendered.ids.indices.map { $0 >= prompt.ids.count })
        #expect(throws: ConversationProblem.self) {
            try template.render(Self.conversation, tokenizer: tokenizer, imageTokenCounts: [1, 1], imageTokenID: 9)
        }
    }

    @Test func plainIsPictureCaptionNewline() throws {
        let tokenizer = try Self.tokenizer(for: .plain)
        let conversation = Conversation([
            Turn(role: .user, content: "Describe it.\n<image>"), Turn(role: .assistant, content: "a red circle"),
        ])
        let rendered = try PlainTemplate().render(
            conversation, tokenizer: tokenizer, imageTokenCounts: [2], imageTokenID: 700)
        let caption = tokenizer.encode("a red circle\n")
        #expect(rendered.ids == [1, 700, 700] + caption)
        #expect(rendered.supervised == [false, false, false] + caption.map { _ in true })
        let prompt = try PlainTemplate().renderPrompt(
            conversation, tokenizer: tokenizer, imageTokenCounts: [2], imageTokenID: 700)
        #expect(prompt.ids == [1, 700, 700])
        #expect(throws: ConversationProblem.noCaption(template: "plain", turns: 4)) {
            _ = try PlainTemplate().render(Self.conversation, tokenizer: tokenizer, images: [])
        }
    }

    @Test func truncationNeverCutsAPicture() throws {
        let tokenizer = try Self.tokenizer(for: .vicuna)
        let whole = try VicunaTemplate().render(
            Self.conversation, tokenizer: tokenizer, imageTokenCounts: [7, 5], imageTokenID: 700)
        for limit in 0...whole.ids.count + 3 {
            let cut = whole.truncated(to: limit)
            #expect(cut.ids.count <= limit)
            #expect(cut.ids.count + cut.cutTokens == whole.ids.count)
            #expect(whole.ids.starts(with: cut.ids))
            #expect(cut.imageSpans.count + cut.cutImages == 2)
            #expect(cut.ids.count { $0 == 700 } == cut.imageSpans.reduce(0) { $0 + $1.count })
            #expect(limit - cut.ids.count < 7 || limit > whole.ids.count)
        }
        #expect(whole.truncated(to: 3).supervisedCount == 0)
        #expect(whole.truncated(to: 100_000) == whole)
    }

    @Test func faultsAreNamed() throws {
        let tokenizer = try Self.tokenizer(for: .vicuna)
        let template = VicunaTemplate()
        func problem(_ turns: [Turn], images: [Int] = []) -> ConversationProblem? {
            do {
                _ = try template.render(
                    Conversation(turns), tokenizer: tokenizer, imageTokenCounts: images, imageTokenID: 9)
                return nil
            } catch { return error as? ConversationProblem }
        }
        let user = Turn(role: .user, content: "q <image>")
        let answer = Turn(role: .assistant, content: "a")
        #expect(problem([]) == .empty)
        #expect(problem([Turn(role: .system, content: "s")]) == .empty)
        #expect(problem([answer]) == .outOfOrder(turn: 0, found: .assistant, expected: .user))
        #expect(problem([user, user]) == .outOfOrder(turn: 1, found: .user, expected: .assistant))
        #expect(problem([user, answer]) == .imageCount(markers: 1, images: 0))
        #expect(problem([user, answer], images: [1, 1]) == .imageCount(markers: 1, images: 2))
        #expect(problem([user, answer], images: [1]) == nil)
        #expect(throws: ConversationProblem.missingToken("<|im_start|>", template: "chatml")) {
            _ = try ChatMLTemplate().render(
                Conversation([user, answer]), tokenizer: tokenizer, imageTokenCounts: [1], imageTokenID: 9)
        }
    }

    @Test func stopIDsAreTheTemplatesAndTheEndOfText() throws {
        let tokenizer = try Self.tokenizer(for: .chatML)
        #expect(ChatMLTemplate().stopIDs(tokenizer) == [2])
        #expect(VicunaTemplate().stopIDs(try Self.tokenizer(for: .vicuna)) == [2])
        #expect(PlainTemplate().stopStrings == ["\n"])
    }

    @Test func asInLLaVAPicturesGoFirstAndLeadingAnswersGo() {
        let conversation = Conversation([
            Turn(role: .assistant, content: "Hello!"), Turn(role: .user, content: "  What is it? <image> "),
            Turn(role: .assistant, content: "A dog."),
        ])
        #expect(
            conversation.normalizedAsInLLaVA()
                == Conversation([
                    Turn(role: .user, content: "<image>\nWhat is it?"), Turn(role: .assistant, content: "A dog."),
                ]))
    }
}

extension String {
    /// Decoding drops the space in front of a text for tokenizers that add one.
    func trimmingOneLeadingSpace(_ flag: Bool) -> String { flag && hasPrefix(" ") ? String(dropFirst()) : self }
}
