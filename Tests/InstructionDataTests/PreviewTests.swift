import Basics
import Foundation
import Imaging
import InstructionData
import TestSupport
import Testing
import Tokenization

/// The page of `vitrail data preview`.
@Suite struct PreviewTests {
    private func dataset(_ scratch: Scratch) throws -> InstructionDataset {
        let image = RGBImage(width: 900, height: 600, filledWith: (10, 200, 30))
        try scratch.write("wide.png", try image.encodedPNG())
        try scratch.write("broken.png", "no picture")
        return try InstructionDataset(
            try scratch.write(
                "d.jsonl",
                #"""
                {"id":"<b>","image":"wide.png","conversations":[{"from":"human","value":"<image>\nWhat & why?"},{"from":"gpt","value":"A <green> one"}],"templates":["vqa/x"],"source":"mine"}
                {"id":"second","image":"broken.png","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"},{"from":"human","value":"q2"},{"from":"gpt","value":"a2"}],"source":"mine"}
                {"id":"third","conversations":[{"from":"human","value":"q"}]}
                """#))
    }

    @Test func pageHoldsPicturesPromptMaskAndFaults() throws {
        let scratch = try Scratch()
        let dataset = try dataset(scratch)
        var settings = PreviewSettings(template: ChatTemplateName.vicuna.template)
        settings.seed = nil
        let page = try DatasetPreview(settings).html(of: dataset, statistics: try DatasetStatistics(dataset))
        // Texts of the data are text on the page.
        #expect(page.contains("<b>&lt;b&gt;</b>") && page.contains("What &amp; why?"))
        #expect(page.contains(#"<span class="loss"> A &lt;green&gt; one</span>"#))
        #expect(page.contains(#"<span class="picture">&lt;image&gt;</span>"#))
        #expect(page.contains("templates vqa/x") && page.contains("from mine") && page.contains("900×600"))
        // Scaled to the page: a JPEG, not the 900 pixels of the file.
        #expect(page.contains("src=\"data:image/jpeg;base64,/9j/"))
        // What is broken is shown as such.
        #expect(page.contains("broken.png") && page.components(separatedBy: "class=\"fault\"").count >= 3)
        #expect(page.contains("the conversation ends without an answer"))
        // Opens without a network or a script.
        for word in ["http:", "https:", "<script", "<link", "url("] { #expect(!page.contains(word), "\(word)") }
        #expect(page.contains("<svg") && page.contains("<td>mine</td><td>2</td>"))
    }

    @Test func tokensAreColouredAsTheyAreTrained() throws {
        let scratch = try Scratch()
        let dataset = try dataset(scratch)
        let shipped = Paths.join(Paths.parent(Paths.parent(Paths.parent(#filePath))), "Models/pebble")
        let tokenizer = try Tokenizer(folder: shipped)
        let template = ChatTemplateName.vicuna.template
        var settings = PreviewSettings(template: template)
        settings.seed = nil
        settings.count = 1
        settings.tokenizer = tokenizer
        settings.imageTokens = { _, _, _ in ImageTokens(count: 9, id: 5) }
        let page = try DatasetPreview(settings).html(of: dataset)
        let rendered = try template.render(
            try dataset.record(at: 0).conversation, tokenizer: tokenizer, imageTokenCounts: [9], imageTokenID: 5)
        #expect(page.contains("\(rendered.ids.count) tokens, \(rendered.supervisedCount) carry loss"))
        #expect(page.contains("&lt;image&gt; × 9</span>"))
        // Every token that carries loss stands in a green span, with its id.
        var ids: [Int32] = []
        for part in page.components(separatedBy: "<span class=\"token").dropFirst() {
            guard let style = part.split(separator: "\"", omittingEmptySubsequences: false).first,
                style.contains("loss"), let titles = part.components(separatedBy: "title=\"").dropFirst().first
            else { continue }
            ids += titles.prefix { $0 != "\"" }.split(separator: " ").compactMap { Int32($0) }
        }
        #expect(ids == zip(rendered.ids, rendered.supervised).filter(\.1).map(\.0))
    }

    @Test func theDrawFollowsFromTheSeed() throws {
        let scratch = try Scratch()
        let records = (0..<100).map {
            #"{"id":"record-\#($0)","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}"#
        }
        let dataset = try InstructionDataset(try scratch.write("d.jsonl", records.joined(separator: "\n")))
        var settings = PreviewSettings(template: ChatTemplateName.chatML.template)
        settings.count = 5
        let page = try DatasetPreview(settings).html(of: dataset)
        #expect(try DatasetPreview(settings).html(of: dataset, workers: 1) == page)
        settings.seed = 18
        #expect(try DatasetPreview(settings).html(of: dataset) != page)
        #expect(page.components(separatedBy: "<article>").count == 6)
    }
}
