/// The answer normalisation of the official VQA evaluation, rule by rule, its oddities included.
///
/// Published scores depend on the oddities: number words stop at ten, a single comma between digits makes every
/// punctuation mark vanish instead of becoming a space, and only the first 32 full stops go.
enum VQANormalization {
    /// Newlines and tabs as spaces, none at the ends: what is compared when all references agree.
    static func trimmed(_ text: String) -> String {
        let spaced = text.unicodeScalars.map { $0 == "\n" || $0 == "\t" ? " " : $0 }
        return PlainText.string(PlainText.trimmed(PlainText.string(spaced)))
    }

    /// Punctuation, case, number words, articles and contractions, in this order.
    static func normalized(_ text: String) -> String {
        let plain = withoutPunctuation(Array(text.unicodeScalars))
        return PlainText.words(PlainText.string(plain).lowercased())
            .map { numbers[$0] ?? $0 }
            .filter { !articles.contains($0) }
            .map { contractions[$0] ?? $0 }
            .joined(separator: " ")
    }

    /// Each mark vanishes where it stands beside a space anywhere in the text, or where the text has a comma between
    /// digits; otherwise it becomes a space. Then full stops that no digit follows vanish.
    private static func withoutPunctuation(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        let hasDigitComma = text.indices.dropFirst().dropLast().contains {
            text[$0] == "," && PlainText.isDigit(text[$0 - 1]) && PlainText.isDigit(text[$0 + 1])
        }
        func vanishes(_ mark: Unicode.Scalar) -> Bool {
            hasDigitComma
                || text.indices.dropLast().contains {
                    (text[$0] == mark && text[$0 + 1] == " ") || (text[$0] == " " && text[$0 + 1] == mark)
                }
        }
        var vanishing: [Unicode.Scalar: Bool] = [:]
        var plain: [Unicode.Scalar] = []
        for scalar in text {
            guard marks.contains(scalar) else {
                plain.append(scalar)
                continue
            }
            let gone = vanishing[scalar] ?? vanishes(scalar)
            vanishing[scalar] = gone
            if !gone { plain.append(" ") }
        }
        return withoutFullStops(plain)
    }

    private static func withoutFullStops(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var removed = 0
        return text.indices.compactMap { index in
            let isStop =
                text[index] == "." && !(index + 1 < text.count && PlainText.isDigit(text[index + 1])) && removed < 32
            if isStop { removed += 1 }
            return isStop ? nil : text[index]
        }
    }

    private static let marks = Set(";/[]\"{}()=+\\_-><@`,?!".unicodeScalars)

    private static let articles: Set<String> = ["a", "an", "the"]

    private static let numbers = [
        "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
        "seven": "7", "eight": "8", "nine": "9", "ten": "10",
    ]

    /// The contracted words that the evaluation repairs. Each is reached from itself with one apostrophe left out.
    private static let contracted = """
        ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd
        he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've
        needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've
        somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll
        that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've
        weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've
        why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're
        you've
        """

    /// From the slip to the right form. The evaluation's own slip, `somebody'd` losing its apostrophe, is kept.
    private static let contractions: [String: String] = {
        var table = ["somebody'd": "somebodyd"]
        for word in PlainText.words(contracted) {
            let scalars = Array(word.unicodeScalars)
            for index in scalars.indices where scalars[index] == "'" {
                table[PlainText.string(scalars[..<index] + scalars[(index + 1)...])] = word
            }
        }
        return table
    }()
}
