import TensorCore
import TestSupport
import Testing

/// Every operation against numbers that other implementations computed (PyTorch, in float64 for the repository's own).
@Suite struct OperationFixtureTests {
    @Test(arguments: TestBackend.allCases, OperationFixture.all)
    func matches(_ backend: TestBackend, _ fixture: OperationFixture) throws {
        let run = try FixtureRun(fixture, on: backend.make())
        let compute = try #require(Self.mapping(of: fixture.name), "no operation is mapped to \(fixture.name)")
        try compute(run)
        try run.compare()
    }

    typealias Computation = @Sendable (FixtureRun) throws -> Void

    /// What computes a case: the longest entry that its name begins with.
    private static func mapping(of name: String) -> Computation? {
        computations.filter { name.hasPrefix($0.key) }.max { $0.key.count < $1.key.count }?.value
    }

    private static let computations: [String: Computation] = [
        "linear": { try $0.linear() },
        "layer_norm": { run in
            let epsilon = Float(try run.fixture.number("eps"))
            try run.output(
                "y",
                layerNorm(
                    run.input("x"), weight: run.input("weight"), bias: run.input("bias"), epsilon: epsilon))
        },
        "rms_norm": { run in
            let epsilon = Float(try run.fixture.number("eps"))
            try run.output("y", rmsNorm(run.input("x"), weight: run.input("weight"), epsilon: epsilon))
        },
        "normalize_rows": { try $0.output("y", normalizedRows($0.input("x"))) },
        "gelu_erf": { try $0.activation(.gelu) },
        "gelu_tanh": { try $0.activation(.geluTanh) },
        "quick_gelu": { try $0.activation(.quickGelu) },
        "silu": { try $0.activation(.silu) },
        "relu": { try $0.activation(.relu) },
        "tanh": { try $0.activation(.tanh) },
        "sigmoid": { try $0.activation(.sigmoid) },
        "swiglu_mlp": { try $0.gatedFeedForward() },
        "gelu_mlp": { try $0.feedForward() },
        "softmax": { try $0.softmax() },
        "rope": { try $0.rotary() },
        "attention": { try $0.attention() },
        "embedding": { try $0.embedding() },
        "tied_lm_head": { try $0.tiedHead() },
        "cross_entropy": { try $0.crossEntropy() },
        "causal_lm_loss": { try $0.causalLoss() },
        "sigmoid_contrastive": { try $0.contrastiveLoss() },
        "masked_scatter": { try $0.visualTokens() },
        "mean_rows": { run in
            let offsets = try run.integers("in.offsets")
            try run.output("y", meanRows(run.input("x"), offsets: offsets))
        },
        "conv_patch_embedding": { try $0.patchEmbedding() },
        "pixel_shuffle": { try $0.pixelShuffle() },
        "interpolate": { try $0.interpolation() },
        "adamw": { try $0.adamW() },
        "clip_grad_norm": { try $0.clipping() },
        "dtype_cast": { try $0.casts() },
        "block_formats": { try $0.blockFormats() },
    ]
}
