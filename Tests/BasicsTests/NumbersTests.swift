import Basics
import Testing

@Suite("Medians")
struct MedianTests {
    @Test(arguments: [
        ([], 0), ([3], 3), ([9, 1], 9), ([5, 100, 4], 5), ([2, 2, 8, 1], 2), ([-1, -3, 7, 0, 1e9], 0),
    ])
    func middleValue(values: [Double], middle: Double) { #expect(values.median == middle) }
}

@Suite("Random numbers")
struct RandomGeneratorTests {
    /// First outputs of the authors' C code (prng.di.unimi.it) for splitmix64-filled state of seed 0 and 42; the same
    /// numbers come from numpy-free Python written from the paper.
    @Test func knownSequence() {
        var random = RandomGenerator(state: [1, 2, 3, 4])
        let expected: [UInt64] = [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]
        #expect((0..<4).map { _ in random?.next() } == expected)
        // splitmix64(0) starts with these words.
        #expect(
            RandomGenerator(seed: 0).state == [
                0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F, 0xF88B_B8A8_724C_81EC,
            ])
    }

    @Test func stateRestores() throws {
        var a = RandomGenerator(seed: 7, stream: "shuffle")
        for _ in 0..<10 { _ = a.normal() }
        var b = try #require(RandomGenerator(state: a.state))
        #expect(a == b)
        #expect((0..<10).map { _ in a.next() } == (0..<10).map { _ in b.next() })
        #expect(RandomGenerator(state: [0, 0, 0, 0]) == nil)
        #expect(RandomGenerator(state: [1, 2, 3]) == nil)
    }

    @Test func streamsDiffer() {
        let states = [
            RandomGenerator(seed: 1), RandomGenerator(seed: 2), RandomGenerator(seed: 1, stream: 0),
            RandomGenerator(seed: 1, stream: 1), RandomGenerator(seed: 1, stream: "a"),
            RandomGenerator(seed: 1, stream: "b"),
        ].map(\.state)
        #expect(Set(states).count == states.count)
    }

    @Test func momentsOfTheDistributions() {
        var random = RandomGenerator(seed: 3)
        let count = 200_000
        let uniform = (0..<count).map { _ in random.uniform() }
        #expect(uniform.allSatisfy { (0..<1).contains($0) })
        #expect(abs(uniform.reduce(0, +) / Double(count) - 0.5) < 4 * 0.2887 / Double(count).squareRoot())
        let normal = (0..<count).map { _ in random.normal() }
        #expect(abs(normal.reduce(0, +) / Double(count)) < 4 / Double(count).squareRoot())
        let variance = normal.reduce(0) { $0 + $1 * $1 } / Double(count)
        #expect(abs(variance - 1) < 4 * (2 / Double(count)).squareRoot())
    }

    @Test func belowIsUniformAndShufflePermutes() {
        var random = RandomGenerator(seed: 4)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[random.below(7)] += 1 }
        let chiSquare = counts.reduce(0.0) { $0 + (Double($1) - 10_000) * (Double($1) - 10_000) / 10_000 }
        #expect(chiSquare < 22.5)  // 6 degrees of freedom, p = 0.001
        var elements = Array(0..<100)
        random.shuffle(&elements)
        #expect(elements != Array(0..<100))
        #expect(elements.sorted() == Array(0..<100))
    }
}

@Suite("SHA-256")
struct SHA256Tests {
    /// FIPS 180-4 examples and NIST's long message.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func publishedVectors(text: String, digest: String) {
        #expect(SHA256.hex(of: text) == digest)
    }

    /// The same digest however the bytes are cut, at every length around the block size.
    @Test func piecesGiveTheSame() {
        var random = RandomGenerator(seed: 5)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8(random.below(256)) }
            var hash = SHA256()
            var start = 0
            while start < count {
                let end = min(count, start + 1 + random.below(70))
                hash.update(Array(bytes[start..<end]))
                start = end
            }
            #expect(SHA256.hex(hash.finish()) == SHA256.hex(of: bytes))
        }
    }
}

@Suite("16-bit floats")
struct HalfFloatTests {
    @Test func everyBFloat16RoundTrips() {
        for bits in UInt16.min...UInt16.max {
            let value = HalfFloat.float(fromBFloat16: bits)
            if value.isNaN {
                #expect(HalfFloat.float(fromBFloat16: HalfFloat.bfloat16(from: value)).isNaN)
            } else {
                #expect(HalfFloat.bfloat16(from: value) == bits)
            }
        }
    }

    /// Every half against its definition in double arithmetic.
    @Test func everyFloat16HasItsValue() {
        for bits in UInt16.min...UInt16.max {
            let exponent = Int(bits >> 10 & 31)
            let fraction = Double(bits & 1023)
            let magnitude =
                exponent == 0
                ? fraction * 0x1p-24
                : (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
            let value = HalfFloat.float(fromFloat16: bits)
            if exponent == 31 {
                #expect(fraction == 0 ? value.isInfinite : value.isNaN)
            } else {
                #expect(Double(value) == (bits >> 15 == 0 ? magnitude : -magnitude))
                #expect(HalfFloat.float16(from: value) == bits)
            }
        }
        #expect(HalfFloat.float16(from: .nan) & 0x7FFF > 0x7C00)
        #expect(HalfFloat.float16(from: -.infinity) == 0xFC00)
    }

    /// Narrowing gives the neighbour that is nearest in double arithmetic, the even one on ties.
    @Test func narrowingRoundsToNearestEven() {
        var random = RandomGenerator(seed: 6)
        for _ in 0..<100_000 {
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            guard value.isFinite else { continue }
            let brain = HalfFloat.bfloat16(from: value)
            #expect(isNearest(value, brain, HalfFloat.float(fromBFloat16:)))
            let moderate = Float(random.normal()) * Float(sign: .plus, exponent: random.below(40) - 26, significand: 1)
            if abs(moderate) < 65504 {
                #expect(isNearest(moderate, HalfFloat.float16(from: moderate), HalfFloat.float(fromFloat16:)))
            }
        }
        #expect(HalfFloat.float16(from: 65519.996) == 0x7BFF)
        #expect(HalfFloat.float16(from: 65520) == 0x7C00)
        #expect(HalfFloat.float16(from: 0x1p-25) == 0)
        #expect(HalfFloat.float16(from: 0x1.8p-24) == 2)
        #expect(HalfFloat.bfloat16(from: Float(bitPattern: 0x3F80_8000)) == 0x3F80)
        #expect(HalfFloat.bfloat16(from: Float(bitPattern: 0x3F81_8000)) == 0x3F82)
        #expect(HalfFloat.bfloat16(from: .greatestFiniteMagnitude) == 0x7F80)
    }

    private func isNearest(_ value: Float, _ bits: UInt16, _ widen: (UInt16) -> Float) -> Bool {
        // Half a step above the largest finite bfloat16, rounding reaches infinity.
        if widen(bits).isInfinite { return Double(abs(value)) >= 0x1.FFp127 }
        let error = abs(Double(widen(bits)) - Double(value))
        for neighbour in [bits &- 1, bits &+ 1] where widen(neighbour).isFinite && neighbour >> 15 == bits >> 15 {
            let other = abs(Double(widen(neighbour)) - Double(value))
            if other < error || other == error && bits & 1 == 1 { return false }
        }
        return true
    }
}
