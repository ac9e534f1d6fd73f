import Basics

extension DamagedFolder {
    /// Files that are missing, empty, cut short, or something else.
    static func files(_ family: String) -> [DamagedFolder] {
        let names = ["config.json", "model.safetensors", "tokenizer.json"]
        return names.flatMap { name -> [DamagedFolder] in
            [
                DamagedFolder("no \(name)", family) { try Files.remove($0.file(name)) },
                DamagedFolder("empty \(name)", family) { try $0.write([], to: name) },
                DamagedFolder("half of \(name)", family) { try $0.cut(name) { $0 / 2 } },
                DamagedFolder("\(name) without its end", family) { try $0.cut(name) { $0 - 3 } },
                DamagedFolder("seven bytes of \(name)", family) { try $0.cut(name) { _ in 7 } },
                DamagedFolder("zeros for \(name)", family) {
                    try $0.write([UInt8](repeating: 0, count: 4_096), to: name)
                },
                DamagedFolder("a folder for \(name)", family) { folder in
                    try Files.remove(folder.file(name))
                    try Files.createDirectory(folder.file(name))
                },
                DamagedFolder("a web page for \(name)", family) {
                    try $0.write("<!DOCTYPE html><html><body>Log in</body></html>", to: name)
                },
                DamagedFolder("a pointer for \(name)", family) {
                    try $0.write("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", to: name)
                },
            ]
        } + [
            DamagedFolder("no processor", family) { try Files.remove($0.file($0.processor.name)) },
            DamagedFolder("empty processor", family) { try $0.write([], to: $0.processor.name) },
            DamagedFolder("half a processor", family) { try $0.cut($0.processor.name) { $0 / 2 } },
        ]
    }

    /// JSON that is no JSON.
    static func texts(_ family: String) -> [DamagedFolder] {
        ["config.json", "tokenizer.json"].flatMap { name in
            [
                DamagedFolder("a key twice in \(name)", family) { folder in
                    let text = try Files.readText(folder.file(name))
                    try folder.write("{\"version\": \"1.0\", \"version\": \"1.0\"," + text.dropFirst(), to: name)
                },
                DamagedFolder("deep arrays in \(name)", family) {
                    try $0.write("{\"a\": " + String(repeating: "[", count: 200_000), to: name)
                },
                DamagedFolder("deep objects in \(name)", family) {
                    try $0.write(String(repeating: "{\"a\": ", count: 100_000), to: name)
                },
                DamagedFolder("NaN in \(name)", family) { try $0.write("{\"rms_norm_eps\": NaN}", to: name) },
                DamagedFolder("no UTF-8 in \(name)", family) {
                    try $0.write([0x7B, 0x22, 0xFF, 0xFE, 0x22], to: name)
                },
                DamagedFolder("a list for \(name)", family) { try $0.write("[1, 2, 3]", to: name) },
                DamagedFolder("a number of 10,000 digits in \(name)", family) {
                    try $0.write("{\"vocab_size\": \(String(repeating: "9", count: 10_000))}", to: name)
                },
            ]
        }
    }

    /// Weights in shards.
    static func shards(_ family: String) -> [DamagedFolder] {
        @Sendable func index(_ folder: FolderUnderDamage, _ map: [String: String]?) throws {
            try Files.rename(folder.file("model.safetensors"), to: folder.file("model-00001-of-00002.safetensors"))
            let json: JSON = [
                "metadata": ["total_size": 1],
                "weight_map": map.map {
                    .object(JSONObject($0.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
                }
                    ?? 7,
            ]
            try folder.write(json.serialized(), to: "model.safetensors.index.json")
        }
        return [
            DamagedFolder("a missing shard", family) {
                try index($0, ["lm_head.weight": "model-00002-of-00002.safetensors"])
            },
            DamagedFolder("a shard outside of the folder", family) {
                try index($0, ["lm_head.weight": "../../etc/passwd"])
            },
            DamagedFolder("an absolute shard", family) { try index($0, ["lm_head.weight": "/etc/passwd"]) },
            DamagedFolder("no map of weights", family) { try index($0, nil) },
            DamagedFolder("an empty map of weights", family) { try index($0, [:]) },
            DamagedFolder("a tensor that its shard lacks", family) {
                try index($0, ["nowhere.weight": "model-00001-of-00002.safetensors"])
            },
            DamagedFolder("an index that is no JSON", family) { folder in
                try index(folder, [:])
                try folder.write("weight_map", to: "model.safetensors.index.json")
            },
        ]
    }
}
