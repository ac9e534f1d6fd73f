import Basics
import Checkpointing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

@Suite("Key tables of the families")
struct FamilyTableTests {
    /// Each family with parameter paths and the keys that they are written under.
    static let families: [(name: String, table: KeyTable, pairs: [(path: String, key: String)])] = [
        (
            "llama", .llama,
            [
                ("embedding", "model.embed_tokens.weight"), ("norm.weight", "model.norm.weight"),
                ("head.weight", "lm_head.weight"), ("layers.7.norm1.weight", "model.layers.7.input_layernorm.weight"),
                ("layers.12.attention.query.bias", "model.layers.12.self_attn.q_proj.bias"),
                ("layers.0.attention.keyNorm.weight", "model.layers.0.self_attn.k_norm.weight"),
                ("layers.3.feedForward.down.weight", "model.layers.3.mlp.down_proj.weight"),
            ]
        ),
        (
            "vision", .vision(patchSize: 14),
            [
                ("classToken", "vision_model.embeddings.class_embedding"),
                ("patchEmbedding.weight", "vision_model.embeddings.patch_embedding.weight"),
                ("preNorm.bias", "vision_model.pre_layrnorm.bias"),
                ("layers.1.feedForward.second.weight", "vision_model.encoder.layers.1.mlp.fc2.weight"),
                ("head.key.weight", "vision_model.head.attention.in_proj_weight"),
                ("head.norm.weight", "vision_model.head.layernorm.weight"),
            ]
        ),
        (
            "llava", .llava(patchSize: 14),
            [
                ("language.embedding", "language_model.model.embed_tokens.weight"),
                ("language.head.weight", "language_model.lm_head.weight"),
                ("vision.positions", "vision_tower.vision_model.embeddings.position_embedding.weight"),
                ("projector.second.bias", "multi_modal_projector.linear_2.bias"),
                ("projector.newline", "image_newline"),
            ]
        ),
        (
            "original LLaVA", .originalLlava(patchSize: 14),
            [
                ("language.layers.0.norm2.weight", "model.layers.0.post_attention_layernorm.weight"),
                ("language.head.weight", "lm_head.weight"), ("projector.first.weight", "model.mm_projector.0.weight"),
                ("projector.second.bias", "model.mm_projector.2.bias"),
                ("projector.weight", "model.mm_projector.weight"),
                ("vision.postNorm.weight", "model.vision_tower.vision_tower.vision_model.post_layernorm.weight"),
            ]
        ),
        (
            "Idefics3", .idefics3(patchSize: 14),
            [
                ("language.layers.2.attention.output.weight", "model.text_model.layers.2.self_attn.o_proj.weight"),
                ("language.head.weight", "lm_head.weight"), ("language.norm.weight", "model.text_model.norm.weight"),
                ("projector.weight", "model.connector.modality_projection.proj.weight"),
                ("vision.layers.0.norm1.weight", "model.vision_model.encoder.layers.0.layer_norm1.weight"),
            ]
        ),
        (
            "nanoVLM", .nanoVLM(patchSize: 16, positions: 196),
            [
                ("language.embedding", "decoder.token_embedding.weight"), ("projector.weight", "MP.proj.weight"),
                ("language.layers.1.attention.output.weight", "decoder.blocks.1.attn.out_proj.weight"),
                ("vision.layers.4.attention.value.bias", "vision_encoder.blocks.4.attn.qkv_proj.bias"),
                ("vision.postNorm.weight", "vision_encoder.layer_norm.weight"),
            ]
        ),
    ]

    @Test(arguments: families.indices) func pathsHaveTheirKeys(index: Int) {
        let family = Self.families[index]
        for (path, key) in family.pairs { #expect(family.table.key(ofParameter: path) == key, "\(family.name)") }
        #expect(family.table.key(ofParameter: "unknown.weight") == nil)
    }

    @Test func ignoredKeysHaveReasons() {
        let clip = KeyTable.vision(patchSize: 14)
        #expect(
            clip.reasonToIgnore("text_model.encoder.layers.0.mlp.fc1.weight")?.hasPrefix("belongs to the text half")
                == true)
        #expect(clip.reasonToIgnore("logit_scale") != nil)
        #expect(clip.reasonToIgnore("vision_model.embeddings.position_ids") == "a constant of old versions")
        #expect(clip.reasonToIgnore("vision_model.embeddings.position_ids.more") == nil)
        #expect(clip.reasonToIgnore("vision_model.encoder.layers.0.mlp.fc1.weight") == nil)
        let llava = KeyTable.llava(patchSize: 14)
        #expect(llava.reasonToIgnore("vision_tower.head.mlp.fc1.weight")?.hasPrefix("the pooling head") == true)
        #expect(llava.reasonToIgnore("model.vision_tower.vision_model.head.probe") != nil)
        let llama = KeyTable.llama
        #expect(llama.reasonToIgnore("model.layers.31.self_attn.rotary_emb.inv_freq") != nil)
        #expect(llama.reasonToIgnore("model.layers.x.self_attn.rotary_emb.inv_freq") == nil)
    }

    /// Every key of a checkpoint in the other spellings of its family fills the same parameters.
    @Test(arguments: [
        ("language_model.model.", "model.language_model."), ("language_model.lm_head.", "lm_head."),
        ("multi_modal_projector.", "model.multi_modal_projector."), ("vision_tower.vision_model.", "vision_tower."),
        ("vision_tower.vision_model.", "model.vision_tower."),
        ("vision_tower.vision_model.", "model.vision_tower.vision_model."), ("image_newline", "model.image_newline"),
    ])
    func llavaSpellings(published: String, other: String) throws {
        let table = KeyTable.llava(patchSize: 2)
        let parameters: [(path: String, shape: [Int])] = [
            ("vision.classToken", [1, 4]), ("vision.patchEmbedding.weight", [4, 12]),
            ("vision.layers.0.norm1.weight", [4]),
            ("projector.first.weight", [6, 4]), ("projector.second.weight", [6, 6]), ("projector.newline", [1, 6]),
            ("language.embedding", [9, 6]), ("language.layers.0.attention.query.weight", [6, 6]),
            ("language.head.weight", [9, 6]),
        ]
        try withTemporaryFolder { folder in
            let model = tree(parameters)
            try model.save(to: folder, table: table)
            let published = try TensorFolder(folder).entries.map { entry in
                (
                    name: entry.name.hasPrefix(published) ? other + entry.name.dropFirst(published.count) : entry.name,
                    shape: entry.shape
                )
            }
            let path = Paths.join(folder, "other.safetensors")
            try writeTensors(published, to: path)
            try model.load(from: try TensorFile(path), table: table)
            for (_, parameter) in model.entries where parameter.count > 1 {
                #expect(parameter.value.floats[1] != 0)
            }
        }
    }
}
