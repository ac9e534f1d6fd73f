import Basics
import Testing
import Tokenization

/// Templates of model folders: segments, loss and refusals.
@Suite struct JinjaChatTemplateTests {
    static let chatML =
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

    static let conversation = Conversation([
        Turn(role: .system, content: "Be brief."),
        Turn(role: .user, content: "<image>\nWhat colour is the circle? <|im_end|>"),
        Turn(role: .assistant, content: "Red."),
        Turn(role: .user, content: "And <image> here?"),
        Turn(role: .assistant, content: "It's  blue."),
    ])

    /// The interpreter's result equals the hand-written template's, ids, mask and pictures.
    @Test func aJinjaChatMLIsTheBuiltInOne() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-level"))
        let image = try #require(tokenizer.id("<image>"))
        let jinja = try JinjaChatTemplate(Self.chatML, tokenizer: tokenizer)
        for counts in [[3, 2], [1, 1]] {
            let expected = try ChatMLTemplate().render(
                Self.conversation, tokenizer: tokenizer, imageTokenCounts: counts, imageTokenID: image)
            let found = try jinja.render(
                Self.conversation, tokenizer: tokenizer, imageTokenCounts: counts, imageTokenID: image)
            #expect(found == expected)
            let prompt = try jinja.renderPrompt(
                Self.conversation, tokenizer: tokenizer, imageTokenCounts: counts, imageTokenID: image)
            #expect(found.ids.starts(with: prompt.ids))
        }
        #expect(jinja.stopIDs(tokenizer) == [2])
    }

    @Test func generationBlocksSayWhatIsLearned() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-level"))
        let source =
            "{% for m in messages %}{% if m.role == 'assistant' %}A: {% generation %}{{ m.content }}<|im_end|>"
            + "{% endgeneration %}{% else %}Q: {{ m.content }}\n{% endif %}{% endfor %}"
            + "{% if add_generation_prompt %}A: {% endif %}"
        let template = try JinjaChatTemplate(source, tokenizer: tokenizer)
        let conversation = Conversation([
            Turn(role: .user, content: "Red?"), Turn(role: .assistant, content: "Yes"),
        ])
        let rendered = try template.render(conversation, tokenizer: tokenizer, imageTokenID: 3)
        let learned = zip(rendered.ids, rendered.supervised).filter(\.1).map(\.0)
        #expect(tokenizer.decode(learned, skipSpecialTokens: false) == "Yes<|im_end|>")
        #expect(tokenizer.decode(rendered.ids, skipSpecialTokens: false) == "Q: Red?\nA: Yes<|im_end|>")
    }

    /// SmolVLM's template walks over every turn's parts: a system turn's words must not get lost.
    @Test func systemTurnsComeThrough() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-level"))
        let walking =
            "{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}:{% else %}: "
            + "{% endif %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% elif c['type'] == 'image' %}"
            + "<image>{% endif %}{% endfor %}|{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
        let plain =
            "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
            + "{% if c['type'] != 'image' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}|{% endfor %}"
        let conversation = Conversation([
            Turn(role: .system, content: "Be brief."), Turn(role: .user, content: "Why?"),
        ])
        let first = try JinjaChatTemplate(walking, tokenizer: tokenizer)
        #expect(
            try first.renderText(conversation, tokenizer: tokenizer, openAnswer: true)
                == "System: Be brief.|User: Why?|Assistant:")
        let second = try JinjaChatTemplate(plain, tokenizer: tokenizer)
        #expect(try second.renderText(conversation, tokenizer: tokenizer, openAnswer: true) == "Be brief.|Why?|")
    }

    @Test func templatesOfPictureListsGetLists() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-fallback"))
        let source =
            "{% for m in messages %}{{ m['role'].upper() }}: {% for c in m['content'] %}{% if c['type'] == 'image' %}"
            + "<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% if m['role'] == 'assistant' %}</s>{% else %} "
            + "{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
        let template = try JinjaChatTemplate(source, tokenizer: tokenizer)
        let conversation = Conversation([
            Turn(role: .user, content: "<image>Which colour? </s>"), Turn(role: .assistant, content: "Red"),
        ])
        let rendered = try template.render(
            conversation, tokenizer: tokenizer, imageTokenCounts: [4], imageTokenID: 900)
        #expect(rendered.imageSpans.map(\.count) == [4])
        // The end token is the template's; the user's stayed text.
        #expect(rendered.ids.count { $0 == 2 } == 1)
        let learned = zip(rendered.ids, rendered.supervised).filter(\.1).map(\.0)
        #expect(tokenizer.decode(learned, skipSpecialTokens: false).hasSuffix("Red</s>"))
        #expect(template.stopIDs(tokenizer) == [2])
    }

    /// The line end beside a marker is LLaVA's notation: what stands between picture and text is the template's, or nothing.
    @Test func markersLeaveNoLineEnds() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-fallback"))
        let parts =
            "{% for m in messages %}{{ m['role'] }}:{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n"
            + "{% else %}{{ c['text'] }}{% endif %}{% endfor %};{% endfor %}"
        func text(_ template: JinjaChatTemplate, _ content: String) throws -> String {
            try template.renderText(
                Conversation([Turn(role: .user, content: content)]), tokenizer: tokenizer, openAnswer: true)
        }
        let listed = try JinjaChatTemplate(parts, tokenizer: tokenizer)
        #expect(try text(listed, "<image>\nWhat?") == "user:<image>\nWhat?;")
        #expect(try text(listed, "<image>\n<image>\nWhat\n\nnow?") == "user:<image>\n<image>\nWhat\n\nnow?;")
        #expect(try text(listed, "What?\n<image>") == "user:What?<image>\n;")
        let plain = "{% for m in messages %}{{ m['content'] }};{% endfor %}"
        #expect(try text(JinjaChatTemplate(plain, tokenizer: tokenizer), "<image>\nWhat?") == "<image>\nWhat?;")
        let joining = try JinjaChatTemplate(plain, tokenizer: tokenizer, joinsPictures: true)
        #expect(try text(joining, "<image>\n<image>\nWhat?") == "<image><image>What?;")
    }

    @Test func templatesThatRewriteEarlierTurnsAreRefused() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-level"))
        // As templates that drop the reasoning of earlier answers.
        let source =
            "{% for m in messages %}{{ m.role }}:{{ m.content if loop.last or m.role == 'user' else m.content[:1] }};"
            + "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
        let template = try JinjaChatTemplate(source, tokenizer: tokenizer)
        let turns = [Turn(role: .user, content: "a"), Turn(role: .assistant, content: "long answer")]
        _ = try template.render(Conversation(turns), tokenizer: tokenizer, imageTokenID: 3)
        #expect(throws: UserError.self) {
            _ = try template.render(Conversation(turns + turns), tokenizer: tokenizer, imageTokenID: 3)
        }
    }

    /// The published formats of the interpreter's own tests.
    private static let published: [(name: String, source: String)] = {
        let path = Paths.join(TestFiles.repository, "Tests/JinjaTests/Fixtures/templates.json")
        let templates = (try? JSON.read(path))?["templates"]?.object ?? [:]
        return templates.map { ($0.key, $0.value.string ?? "") }
    }()

    /// Every published format either gives a mask of exactly its answers, over a prompt that does not change when answers follow,
    /// or an error that says why not.
    @Test func publishedTemplatesMaskTheirAnswersOrAreRefused() throws {
        let tokenizer = try Tokenizer(folder: TestFiles.fixture("byte-level"))
        #expect(Self.published.count >= 20)
        var refused: Set<String> = []
        for (name, source) in Self.published {
            let template = try JinjaChatTemplate(source, name: name, tokenizer: tokenizer)
            var turns: [Turn] = []
            for (question, answer) in [("What colour?", "Red indeed."), ("And here?", "Blue indeed.")] {
                turns += [Turn(role: .user, content: question), Turn(role: .assistant, content: answer)]
                let conversation = Conversation(turns)
                let segments: [TemplateSegment]
                do {
                    segments = try template.segments(conversation, openAnswer: false)
                } catch let error as any Problem {
                    #expect(error.fix != nil, "\(name)")
                    refused.insert(name)
                    continue
                }
                var learned = ""
                for segment in segments {
                    switch segment {
                    case .text(let text, true): learned += text
                    case .special(.named(let token), true): learned += token
                    default: break
                    }
                }
                for turn in turns {
                    let isAnswer = turn.role == .assistant
                    #expect(learned.contains(turn.content) == isAnswer, "\(name): \(learned)")
                }
                let rendered = try template.render(conversation, tokenizer: tokenizer, imageTokenID: 3)
                let prompt = try template.renderPrompt(conversation, tokenizer: tokenizer, imageTokenID: 3)
                #expect(rendered.ids.starts(with: prompt.ids), "\(name)")
                #expect(rendered.supervised[prompt.ids.count...].contains(true), "\(name)")
            }
        }
        #expect(refused.isSubset(of: ["qwen3"]), "\(refused.sorted())")
    }

    @Test(arguments: TestFiles.goldenFolders(with: "samples.json"))
    func templatesOfFoldersAreFound(folder: String) throws {
        let checkpoint = Paths.join(folder, "checkpoint")
        let tokenizer = try Tokenizer(folder: checkpoint)
        let expected = Files.exists(Paths.join(checkpoint, "chat_template.jinja"))
        #expect((try tokenizer.chatTemplate() != nil) == expected)
    }
}
