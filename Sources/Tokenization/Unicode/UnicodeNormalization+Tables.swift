extension UnicodeNormalization {
    /// The generated tables in a form that is quick to ask.
    struct Tables: Sendable {
        /// Start of a character's decomposition in ``storage``, by code point.
        private var canonicalStarts: [UInt32: Int] = [:]
        private var compatibleStarts: [UInt32: Int] = [:]
        private var combiningClasses: [UInt32: UInt8] = [:]
        private var compositions: [UInt64: UInt32] = [:]
        /// Code points that a form may change or that may join with others, a bit each.
        private var changing: [Form: [UInt64]] = [:]

        static let shared = Tables()

        /// Conjoining Hangul letters are computed, not listed (Unicode Standard, 3.12).
        private enum Hangul {
            static let syllables: UInt32 = 0xAC00
            static let leading: UInt32 = 0x1100
            static let vowel: UInt32 = 0x1161
            static let trailing: UInt32 = 0x11A7
            static let leadingCount: UInt32 = 19
            static let vowelCount: UInt32 = 21
            static let trailingCount: UInt32 = 28
            static let count = leadingCount * vowelCount * trailingCount
        }

        private init() {
            canonicalStarts = Self.starts(UnicodeNormalization.canonical)
            compatibleStarts = Self.starts(UnicodeNormalization.compatible)
            let classes = UnicodeNormalization.classes
            for index in stride(from: 0, to: classes.count, by: 3) {
                for codePoint in classes[index]...classes[index + 1] {
                    combiningClasses[codePoint] = UInt8(classes[index + 2])
                }
            }
            let pairs = UnicodeNormalization.pairs
            var seconds: [UInt32] = []
            for index in stride(from: 0, to: pairs.count, by: 3) {
                compositions[UInt64(pairs[index]) << 32 | UInt64(pairs[index + 1])] = pairs[index + 2]
                seconds.append(pairs[index + 1])
            }
            for form in Form.allCases {
                var bits = [UInt64](repeating: 0, count: 0x110000 / 64)
                func mark(_ codePoint: UInt32) { bits[Int(codePoint / 64)] |= 1 << UInt64(codePoint % 64) }
                let composed = Set(pairs.indices.filter { $0 % 3 == 2 }.map { pairs[$0] })
                for codePoint in canonicalStarts.keys where !(form.composes && composed.contains(codePoint)) {
                    mark(codePoint)
                }
                if form.isCompatible { compatibleStarts.keys.forEach(mark) }
                combiningClasses.keys.forEach(mark)
                if form.composes {
                    seconds.forEach(mark)
                    for offset in 0..<Hangul.vowelCount { mark(Hangul.vowel + offset) }
                    for offset in 0..<Hangul.trailingCount { mark(Hangul.trailing + offset) }
                } else {
                    for offset in 0..<Hangul.count { mark(Hangul.syllables + offset) }
                }
                changing[form] = bits
            }
        }

        private static func starts(_ list: [UInt32]) -> [UInt32: Int] {
            var result: [UInt32: Int] = [:]
            var index = 0
            while index < list.count {
                result[list[index] >> 5] = index
                index += 1 + Int(list[index] & 31)
            }
            return result
        }

        /// Whether the form may differ from the text; false for nearly all text in NFC.
        func mayChange(_ bytes: UnsafeBufferPointer<UInt8>, _ form: Form) -> Bool {
            let bits = changing[form] ?? []
            // The first character that composing forms change is U+0300, the others U+00A0: no ASCII.
            let first: UInt8 = form == .nfc ? 0xCC : 0xC2
            var index = 0
            while index < bytes.count {
                if bytes[index] < first {
                    index += 1
                    continue
                }
                let (codePoint, length) = CodePoints.decode(bytes, at: index)
                if bits[Int(codePoint / 64)] >> UInt64(codePoint % 64) & 1 != 0 { return true }
                index += length
            }
            return false
        }

        func decompose(_ codePoint: UInt32, _ isCompatible: Bool, into result: inout [UInt32]) {
            if codePoint < 0xA0 { return result.append(codePoint) }
            if codePoint >= Hangul.syllables, codePoint < Hangul.syllables + Hangul.count {
                let index = codePoint - Hangul.syllables
                result.append(Hangul.leading + index / (Hangul.vowelCount * Hangul.trailingCount))
                result.append(
                    Hangul.vowel + index % (Hangul.vowelCount * Hangul.trailingCount) / Hangul.trailingCount)
                if index % Hangul.trailingCount > 0 {
                    result.append(Hangul.trailing + index % Hangul.trailingCount)
                }
            } else if isCompatible, let start = compatibleStarts[codePoint] {
                let list = UnicodeNormalization.compatible
                result += list[start + 1...start + Int(list[start] & 31)]
            } else if let start = canonicalStarts[codePoint] {
                let list = UnicodeNormalization.canonical
                result += list[start + 1...start + Int(list[start] & 31)]
            } else {
                result.append(codePoint)
            }
        }

        /// Sorts marks behind each base character by their class, keeping the order of equals.
        func order(_ text: inout [UInt32]) {
            var start = 0
            while start < text.count {
                guard combiningClasses[text[start]] != nil else {
                    start += 1
                    continue
                }
                var end = start
                while end < text.count, combiningClasses[text[end]] != nil { end += 1 }
                if end - start > 1 {
                    let run = text[start..<end].enumerated().sorted { left, right in
                        let (a, b) = (combiningClasses[left.element] ?? 0, combiningClasses[right.element] ?? 0)
                        return a == b ? left.offset < right.offset : a < b
                    }
                    text.replaceSubrange(start..<end, with: run.map(\.element))
                }
                start = end
            }
        }

        /// Joins characters with their marks, each with the last base character unless another mark stands between.
        func compose(_ text: inout [UInt32]) {
            var base = -1
            var lastClass: UInt8 = 0
            var length = 0
            for codePoint in text {
                let ownClass = combiningClasses[codePoint] ?? 0
                let isAdjacent = base >= 0 && length == base + 1
                if base >= 0, isAdjacent || lastClass < ownClass, isAdjacent || lastClass != 0,
                    let joined = composition(text[base], codePoint)
                {
                    text[base] = joined
                    continue
                }
                text[length] = codePoint
                if ownClass == 0 { base = length }
                lastClass = ownClass
                length += 1
            }
            text.removeLast(text.count - length)
        }

        private func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
            if first >= Hangul.leading, first < Hangul.leading + Hangul.leadingCount, second >= Hangul.vowel,
                second < Hangul.vowel + Hangul.vowelCount
            {
                let index = (first - Hangul.leading) * Hangul.vowelCount + second - Hangul.vowel
                return Hangul.syllables + index * Hangul.trailingCount
            }
            if first >= Hangul.syllables, first < Hangul.syllables + Hangul.count,
                (first - Hangul.syllables) % Hangul.trailingCount == 0, second > Hangul.trailing,
                second < Hangul.trailing + Hangul.trailingCount
            {
                return first + second - Hangul.trailing
            }
            return compositions[UInt64(first) << 32 | UInt64(second)]
        }
    }
}
