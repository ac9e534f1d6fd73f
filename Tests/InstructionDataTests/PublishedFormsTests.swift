import Basics
import Foundation
import InstructionData
import TestSupport
import Testing
import Tokenization

/// A tiny sample in each published form, written for these tests: what becomes of it, and of damaged ones.
struct PublishedForm: Sendable, CustomTestStringConvertible {
    var kind: String
    /// The file that is converted, and further ones.
    var files: [(name: String, text: String)]
    /// Keys that a record cannot do without.
    var keys: [String]
    /// Records and exchanges, and the first exchange.
    var records: Int
    var exchanges: Int
    var image: String?
    var question: String
    var answer: String
    var split: String?
    var usesAnnotations = false

    var testDescription: String { kind }

    func conversion(in scratch: Scratch, output: String = "out/train.jsonl") throws -> Conversion {
        for file in files { try scratch.write("in/" + file.name, file.text) }
        var request = ConversionRequest(input: scratch.file("in/" + files[0].name))
        if usesAnnotations { request.annotations = scratch.file("in/" + files[1].name) }
        request.split = split
        var conversion = Conversion(kind: kind, request: request)
        conversion.output = scratch.file(output)
        return conversion
    }

    static let all: [PublishedForm] = [
        PublishedForm(
            kind: "sharegpt4v",
            files: [
                (
                    "share.json",
                    #"""
                    [{"id": "1", "image": "sam/images/a.jpg", "conversations": [{"from": "human", "value": "<image>\nTell all."}, {"from": "gpt", "value": "A long tale."}]}]
                    """#
                )
            ], keys: ["conversations", "from", "value"], records: 1, exchanges: 1, image: "sam/images/a.jpg",
            question: "<image>\nTell all.", answer: "A long tale."),
        PublishedForm(
            kind: "allava",
            files: [
                (
                    "allava.json",
                    #"""
                    [{"id": "l_0", "image": "allava_laion/images/1.jpeg", "conversations": [{"from": "human", "value": "Why?\n<image>"}, {"from": "gpt", "value": "So."}], "original_question": "Why?", "url": "x", "source": "laion"}]
                    """#
                )
            ], keys: ["conversations", "from", "value"], records: 1, exchanges: 1, image: "allava_laion/images/1.jpeg",
            question: "Why?\n<image>", answer: "So."),
        PublishedForm(
            kind: "messages",
            files: [
                (
                    "m.jsonl",
                    #"{"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}]}"#
                )
            ], keys: ["messages", "role", "content"], records: 1, exchanges: 1, question: "Hi?", answer: "Hello."),
        PublishedForm(
            kind: "alpaca",
            files: [
                (
                    "alpaca.json",
                    """
                    [{"instruction": "Sort.", "input": "b a", "output": "a b"},
                     {"instruction": "Greet.", "input": "", "output": "Hi."}]
                    """
                )
            ], keys: ["instruction", "output"], records: 2, exchanges: 2, question: "Sort.\n\nb a", answer: "a b"),
        PublishedForm(
            kind: "coco-instances",
            files: [
                (
                    "instances_train2017.json",
                    """
                    {"images": [{"id": 9, "file_name": "a.jpg", "width": 200, "height": 100}],
                     "annotations": [{"id": 1, "image_id": 9, "category_id": 3, "bbox": [20, 10, 60, 50], "iscrowd": 0},
                       {"id": 2, "image_id": 9, "category_id": 3, "bbox": [100.5, 0, 10, 10], "iscrowd": 0}],
                     "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}]}
                    """
                )
            ], keys: ["images", "annotations", "categories", "image_id", "category_id", "bbox", "file_name", "width"],
            records: 1, exchanges: 5, image: "a.jpg",
            question: "<image>\nWhere is each cat? Give boxes [x1, y1, x2, y2] from 0 to 1.",
            answer: "[0.100, 0.100, 0.400, 0.600], [0.502, 0.000, 0.553, 0.100]"),
        PublishedForm(
            kind: "visual-genome",
            files: [
                (
                    "region_descriptions.json",
                    """
                    [{"id": 7, "regions": [{"region_id": 1, "image_id": 7, "phrase": "a red hat", "x": 10, "y": 0, "width": 50, "height": 100}]}]
                    """
                ),
                (
                    "image_data.json",
                    #"[{"image_id": 7, "url": "https://x.example/VG_100K_2/7.jpg", "width": 100, "height": 200}]"#
                ),
            ], keys: ["regions", "phrase", "width", "x"], records: 1, exchanges: 1, image: "VG_100K_2/7.jpg",
            question: "<image>\nDescribe the region [0.100, 0.000, 0.600, 0.500].", answer: "a red hat",
            usesAnnotations: true),
        PublishedForm(
            kind: "vg",
            files: [
                (
                    "question_answers.json",
                    #"[{"id": 7, "qas": [{"qa_id": 1, "image_id": 7, "question": "Who?", "answer": "A boy."}]}]"#
                )
            ], keys: ["qas", "question", "answer"], records: 1, exchanges: 1, image: "VG_100K/7.jpg",
            question: "<image>\nWho?", answer: "A boy."),
        PublishedForm(
            kind: "flickr30k",
            files: [
                ("results_20130124.token", "a.jpg#0\tA man .\na.jpg#1\tSomebody .\nb.jpg#0\tA dog .\n")
            ], keys: [], records: 3, exchanges: 3, image: "a.jpg",
            question: "<image>\nProvide a one-sentence caption for the provided image.", answer: "A man ."),
        PublishedForm(
            kind: "flickr30k",
            files: [
                (
                    "dataset_flickr30k.json",
                    """
                    {"images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A man."}, {"raw": "Somebody."}]},
                      {"filename": "b.jpg", "split": "test", "sentences": [{"raw": "A dog."}]}], "dataset": "flickr30k"}
                    """
                )
            ], keys: ["images", "filename", "sentences", "raw"], records: 2, exchanges: 2, image: "a.jpg",
            question: "<image>\nProvide a one-sentence caption for the provided image.", answer: "A man.",
            split: "train"),
        PublishedForm(
            kind: "okvqa",
            files: [
                (
                    "OpenEnded_mscoco_val2014_questions.json",
                    #"{"data_subtype": "val2014", "questions": [{"image_id": 42, "question": "What sport?", "question_id": 420}]}"#
                ),
                (
                    "mscoco_val2014_annotations.json",
                    """
                    {"annotations": [{"question_id": 420, "image_id": 42, "answers": [{"answer": "race", "raw_answer": "races"},
                      {"answer": "race", "raw_answer": "race"}, {"answer": "ride", "raw_answer": "ride"}]}]}
                    """
                ),
            ], keys: ["questions", "question_id", "image_id"], records: 1, exchanges: 1,
            image: "COCO_val2014_000000000042.jpg", question: "<image>\nWhat sport?", answer: "race",
            usesAnnotations: true),
        PublishedForm(
            kind: "aokvqa",
            files: [
                (
                    "aokvqa_v1p0_val.json",
                    """
                    [{"split": "val", "image_id": 5, "question_id": "q1", "question": "What next?", "choices": ["run", "sit"],
                      "correct_choice_idx": 1, "direct_answers": ["sit", "sit down", "sit"], "rationales": ["Tired."]}]
                    """
                )
            ], keys: ["image_id", "question_id", "question", "choices", "correct_choice_idx", "direct_answers"],
            records: 1,
            exchanges: 2, image: "000000000005.jpg", question: "<image>\nWhat next?", answer: "sit"),
        PublishedForm(
            kind: "gqa",
            files: [
                (
                    "val_balanced_questions.json",
                    """
                    {"05451384": {"question": "Is it red?", "imageId": "2382986", "answer": "no", "fullAnswer": "No, it is not."},
                     "05451385": {"question": "What is it?", "imageId": "2382986", "answer": "cat"},
                     "06": {"question": "Who?", "imageId": "n7", "answer": "man"}}
                    """
                )
            ], keys: ["question", "imageId", "answer"], records: 2, exchanges: 3, image: "2382986.jpg",
            question: "<image>\nIs it red?", answer: "no"),
        PublishedForm(
            kind: "textvqa",
            files: [
                (
                    "TextVQA_0.5.1_val.json",
                    """
                    {"dataset_type": "val", "data": [{"question": "what word?", "image_id": "00c3", "question_id": 1,
                      "answers": ["stop", "stop", "top"]}]}
                    """
                )
            ], keys: ["data", "question", "image_id", "question_id", "answers"], records: 1, exchanges: 1,
            image: "00c3.jpg", question: "<image>\nwhat word?", answer: "stop"),
        PublishedForm(
            kind: "stvqa",
            files: [
                (
                    "train_task_3.json",
                    """
                    {"dataset_name": "st-vqa", "data": [{"question": "What price?", "answers": ["5", "five"], "question_id": 3,
                      "file_path": "coco-text/a.jpg", "dataset": "coco-text", "set_name": "train"}]}
                    """
                )
            ], keys: ["data", "question", "answers", "question_id", "file_path"], records: 1, exchanges: 1,
            image: "coco-text/a.jpg", question: "<image>\nWhat price?", answer: "5"),
        PublishedForm(
            kind: "scienceqa",
            files: [
                (
                    "problems.json",
                    """
                    {"1": {"question": "Which is a gas?", "choices": ["air", "ice"], "answer": 0, "hint": "Think.", "image": "image.png",
                      "subject": "natural science", "lecture": "L", "solution": "S", "split": "train"},
                     "2": {"question": "Who?", "choices": ["a", "b"], "answer": 1, "hint": "", "image": null, "split": "train"}}
                    """
                )
            ], keys: ["question", "choices", "answer", "split"], records: 2, exchanges: 2, image: "train/1/image.png",
            question:
                "<image>\nThink.\nWhich is a gas?\nA. air\nB. ice\nAnswer with the option's letter from the given choices directly.",
            answer: "A", split: "train"),
        PublishedForm(
            kind: "nlvr",
            files: [
                (
                    "train.json",
                    #"{"sentence": "There is a box .", "label": "true", "identifier": "12-0", "directory": "4", "structured_rep": []}"#
                )
            ], keys: ["sentence", "label", "identifier"], records: 6, exchanges: 6, image: "images/4/train-12-0-0.png",
            question: "<image>\nIs this statement true? There is a box . Answer yes or no.", answer: "yes"),
        PublishedForm(
            kind: "nlvr2",
            files: [
                (
                    "dev.json",
                    #"{"sentence": "Two dogs.", "identifier": "dev-850-0-1", "label": "False", "left_url": "l", "right_url": "r"}"#
                )
            ], keys: ["sentence", "label", "identifier"], records: 1, exchanges: 1, image: "dev-850-0-img0.png",
            question: "<image>\n<image>\nIs this statement true? Two dogs. Answer yes or no.", answer: "no"),
        PublishedForm(
            kind: "vizwiz",
            files: [
                (
                    "val.json",
                    """
                    [{"image": "VizWiz_val_00000000.jpg", "question": "Which can?", "answers": [{"answer": "corn", "answer_confidence": "yes"},
                      {"answer": "beans", "answer_confidence": "no"}, {"answer": "corn", "answer_confidence": "maybe"}], "answerable": 1}]
                    """
                )
            ], keys: ["image", "question", "answers", "answer"], records: 1, exchanges: 1,
            image: "VizWiz_val_00000000.jpg",
            question:
                "<image>\nWhich can?\nWhen the provided information is insufficient, respond with 'Unanswerable'.\nAnswer the question using a single word or phrase.",
            answer: "corn"),
        PublishedForm(
            kind: "refcoco",
            files: [
                (
                    "refs.json",
                    """
                    [{"ref_id": 1, "ann_id": 11, "image_id": 21, "split": "train", "category_id": 1, "file_name": "x.jpg",
                      "sentences": [{"sent": "left man", "sent_id": 0}, {"sent": "the man", "sent_id": 1}]}]
                    """
                ),
                (
                    "instances.json",
                    """
                    {"images": [{"id": 21, "file_name": "a.jpg", "width": 100, "height": 100}],
                     "annotations": [{"id": 11, "image_id": 21, "bbox": [0, 0, 50, 25]}]}
                    """
                ),
            ], keys: ["ref_id", "ann_id", "image_id", "sentences", "sent"], records: 1, exchanges: 2, image: "a.jpg",
            question: "<image>\nWhere is left man? Answer with a box [x1, y1, x2, y2] from 0 to 1.",
            answer: "[0.000, 0.000, 0.500, 0.250]", split: "train", usesAnnotations: true),
    ]
}

@Suite struct PublishedFormsTests {
    @Test(arguments: PublishedForm.all) func aSampleBecomesRecords(_ form: PublishedForm) throws {
        let scratch = try Scratch()
        let report = try form.conversion(in: scratch).run()
        #expect(report.records == form.records && report.exchanges == form.exchanges)
        let dataset = try InstructionDataset(scratch.file("out/train.jsonl"))
        let record = try dataset.record(at: 0)
        #expect(record.conversation.turns[0].content == form.question)
        #expect(record.conversation.turns[1].content == form.answer)
        let image = record.images.first?.description
        #expect(image == form.image.map { Paths.join(scratch.path, "out", "train-images", $0) })
    }

    @Test(arguments: PublishedForm.all) func everyTaskHasTemplatesThatSuitIt(_ form: PublishedForm) throws {
        let scratch = try Scratch()
        let templates = Paths.join(Paths.parent(Paths.parent(Paths.parent(#filePath))), "Datasets/templates")
        var conversion = try form.conversion(in: scratch)
        conversion.templates = TemplateChoice(try TemplateLibrary(templates), seed: 1)
        conversion.templates?.perRecord = 10
        _ = try conversion.run()
        let dataset = try InstructionDataset(scratch.file("out/train.jsonl"))
        for position in 0..<dataset.count { _ = try dataset.record(at: position) }
    }

    /// Damages that each form must refuse: with file, line where there is one, a fix, and nothing written.
    private static let damaged: [(form: PublishedForm, damage: String, text: String)] = PublishedForm.all.flatMap {
        form -> [(form: PublishedForm, damage: String, text: String)] in
        let text = form.files[0].text
        var damages: [(form: PublishedForm, damage: String, text: String)] = []
        for (name, whole) in [
            ("empty", ""), ("blank", " \n "), ("null", "null"), ("number", "[1, 2]"), ("open", "{\"a\": "),
            ("list of lists", "[[], []]"), ("not text", "\u{0}\u{1}"),
        ] { damages.append((form, name, whole)) }
        if form.files[0].name.hasSuffix("token") {
            damages.append((form, "no tab", "a.jpg#0 A man .\n"))
            damages.append((form, "no number", "a.jpg\tA man .\n"))
            return damages
        }
        for share in [1, 2, 3] {
            damages.append((form, "cut at \(share)/4", String(text.prefix(text.count * share / 4))))
        }
        for key in form.keys {
            damages.append((form, "without \(key)", text.replacing("\"\(key)\":", with: "\"\(key)_\":")))
        }
        return damages
    }

    @Test func thereAreTwoHundredDamages() { #expect(Self.damaged.count >= 200) }

    @Test(arguments: damaged.indices) func damageIsAnErrorWithAFixAndNothingIsWritten(_ index: Int) throws {
        let (original, damage, text) = Self.damaged[index]
        var form = original
        form.files[0].text = text
        let scratch = try Scratch()
        let conversion = try form.conversion(in: scratch)
        let fault = problem { _ = try conversion.run() }
        #expect(fault != nil, "\(form.kind), \(damage): accepted")
        #expect(fault?.problem.contains(scratch.path) == true, "\(form.kind), \(damage): \(fault?.problem ?? "")")
        #expect(fault?.fix?.isEmpty == false, "\(form.kind), \(damage): \(fault?.problem ?? "") has no fix")
        let left = try Files.exists(scratch.file("out")) ? Files.list(scratch.file("out")) : []
        #expect(left.isEmpty, "\(form.kind), \(damage) left \(left)")
    }

    @Test(arguments: PublishedForm.all.filter { !$0.keys.isEmpty }) func lenientLeavesOutOnlyWhatIsBroken(
        _ original: PublishedForm
    ) throws {
        // A broken entry of the form's own kind in front of the good ones.
        var form = original
        let text = form.files[0].text
        let broken: String
        if text.hasPrefix("[") {
            broken = "[{\"nothing\": 1}, " + text.dropFirst()
        } else if form.files[0].name.hasSuffix("jsonl") || ["nlvr", "nlvr2"].contains(form.kind) {
            broken = "{\"nothing\": 1}\n" + text
        } else if ["gqa", "scienceqa"].contains(form.kind) {
            broken = "{\"0\": {\"nothing\": 1, \"split\": \"train\"}, " + text.dropFirst()
        } else {
            let list = form.kind == "coco-instances" ? "annotations" : form.keys[0]
            broken = text.replacing("\"\(list)\": [", with: "\"\(list)\": [{\"nothing\": 1, \"split\": \"train\"}, ")
        }
        form.files[0].text = broken
        let scratch = try Scratch()
        // The broken entry names no split.
        if form.kind == "refcoco" { form.split = nil }
        var conversion = try form.conversion(in: scratch)
        conversion.request.lenient = true
        let report = try conversion.run()
        #expect(report.records == form.records && report.leftOut == 1, "\(form.kind): \(report)")
        let notes = try Files.readText(scratch.file("out/train.repairs.jsonl")).split(separator: "\n")
        #expect(notes.count == 1 && notes[0].contains("left out"))
    }
}
