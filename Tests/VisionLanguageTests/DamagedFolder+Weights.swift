import Basics

extension DamagedFolder {
    /// Tensors that are not what the header or the configuration says.
    static func weights(_ family: String) -> [DamagedFolder] {
        func damage(
            _ name: String, _ body: @escaping @Sendable (inout JSONObject, inout [UInt8]) throws -> Void
        ) -> DamagedFolder {
            DamagedFolder(name, family) { try $0.weights(body) }
        }
        /// Changes one member of the nth tensor's entry.
        @Sendable func entry(_ header: inout JSONObject, _ number: Int, _ key: String, _ value: JSON?) {
            let name = header.keys.filter { $0 != "__metadata__" }[number]
            var tensor = header[name]?.object ?? [:]
            tensor[key] = value
            header[name] = .object(tensor)
        }
        let lengths = [26, 31, 40, 60, 62, 63].map { power in
            DamagedFolder("a header of 2^\(power) bytes", family) {
                try $0.write(FolderUnderDamage.file("{}", [0, 0], length: 1 << UInt64(power)), to: "model.safetensors")
            }
        }
        let types = ["I64", "BOOL", "F8_E4M3", "Q4", "", "f32"].map { type in
            damage("the type \(type)") { header, _ in entry(&header, 2, "dtype", .string(type)) }
        }
        let ranges: [(String, JSON)] = [
            ("overlapping tensors", [0, 64]), ("a range backwards", [64, 0]), ("a negative range", [-4, 60]),
            ("a range beyond the file", [0, 1_125_899_906_842_624]), ("half a range", [0]),
            ("a range in words", ["a", "b"]),
            ("a range of fractions", [0.5, 64.5]), ("no range", .null),
        ]
        let shapes: [(String, JSON)] = [
            ("a shape of 2^62", [4_611_686_018_427_387_904, 4]), ("a negative shape", [-1]),
            ("a shape in words", "many"),
            ("a shape of another size", [1]), ("a shape of 40 axes", .array(.init(repeating: 1, count: 40))),
        ]
        return lengths + types
            + ranges.map { name, value in damage(name) { header, _ in entry(&header, 3, "data_offsets", value) } }
            + shapes.map { name, value in damage(name) { header, _ in entry(&header, 3, "shape", value) } } + [
                damage("a tensor left out") { header, _ in header[header.keys.filter { $0 != "__metadata__" }[4]] = nil
                },
                damage("a name changed") { header, _ in
                    let name = header.keys.filter { $0 != "__metadata__" }[4]
                    let tensor = header[name]
                    header[name] = nil
                    header[name + ".old"] = tensor
                },
                damage("bytes behind the last tensor") { _, data in data += [1, 2, 3] },
                damage("no data") { _, data in data = [] },
                damage("NaN weights") { _, data in
                    for byte in 400..<404 { data[byte] = 0xFF }
                },
                damage("infinite weights") { _, data in data.replaceSubrange(800..<804, with: [0, 0, 0x80, 0x7F]) },
            ]
    }

    /// Tokenizers that are no tokenizers.
    static func tokenizers(_ family: String) -> [DamagedFolder] {
        let values: [(String, [String], JSON?)] = [
            ("no model", ["model"], nil), ("a model of another kind", ["model", "type"], "Magic"),
            ("no vocabulary", ["model", "vocab"], nil), ("an empty vocabulary", ["model", "vocab"], [:]),
            ("a vocabulary of words", ["model", "vocab"], ["a": "b"]),
            ("an id far away", ["model", "vocab", "A"], 16_000_000), ("an id below zero", ["model", "vocab", "A"], -1),
            ("one id twice", ["model", "vocab", "A"], 2),
            ("a merge of a missing token", ["model", "merges"], [["x", "nowhere"]]),
            ("a merge of three", ["model", "merges"], [["a", "b", "c"]]),
            ("merges of numbers", ["model", "merges"], [1, 2]),
            ("added tokens without ids", ["added_tokens"], [["content": "<x>"]]),
            ("an added token at a taken id", ["added_tokens"], [["id": 5, "content": "<x>", "special": true]]),
            ("an unknown normalizer", ["normalizer"], ["type": "Zap"]),
            ("an unknown pre-tokenizer", ["pre_tokenizer"], ["type": "Zap"]),
            (
                "an expression that is not closed", ["pre_tokenizer"],
                ["type": "Split", "pattern": ["Regex": "(a"], "behavior": "Isolated", "invert": false]
            ),
            ("an unknown decoder", ["decoder"], ["type": "Zap"]),
            (
                "more tokens than rows", ["added_tokens"],
                .array((0..<200).map { ["id": .int(257 + $0), "content": .string("<t\($0)>"), "special": true] })
            ),
        ]
        return values.map { name, keys, value in
            DamagedFolder("tokenizer with \(name)", family) { try $0.set("tokenizer.json", keys, value) }
        }
    }

    /// Templates that do not end, or are no templates.
    static func templates(_ family: String) -> [DamagedFolder] {
        let texts = [
            ("runs for ever", "{% for i in range(1000000000) %}{{ i }}{% endfor %}"),
            ("calls itself", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}"),
            (
                "grows without end",
                "{% set ns = namespace(s='ab') %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}"
            ),
            ("is not closed", "{% for m in messages %}{{ m['content'] }}"),
            ("raises", "{{ raise_exception('no') }}"), ("divides by zero", "{{ 1 // 0 }}"),
            ("calls what isn't there", "{{ nowhere(1) }}"), ("loses its pictures", "{{ messages | length }}"),
            ("opens files", "{% include '/etc/passwd' %}"),
        ]
        return texts.map { name, text in
            DamagedFolder("a template that \(name)", family) { try $0.write(text, to: "chat_template.jinja") }
        }
    }
}
