import Basics
import Testing

@Suite("JSON writing")
struct JSONSerializeTests {
    @Test func compact() {
        let value: JSON = ["b": 1, "a": [1.5, nil, true, "x"], "e": [], "o": [:]]
        #expect(value.serialized() == #"{"b":1,"a":[1.5,null,true,"x"],"e":[],"o":{}}"#)
        #expect(value.serialized(sortedKeys: true) == #"{"a":[1.5,null,true,"x"],"b":1,"e":[],"o":{}}"#)
    }

    @Test func pretty() {
        let value: JSON = ["b": 1, "a": [1, ["c": []]]]
        #expect(
            value.serialized(pretty: true) == """
                {
                  "b": 1,
                  "a": [
                    1,
                    {
                      "c": []
                    }
                  ]
                }
                """)
    }

    @Test func stringsAreEscaped() {
        let value = JSON.string("\"\\/\u{8}\u{C}\n\r\t\u{1}\u{1F}\u{7F}é😀\u{2028}")
        #expect(value.serialized() == "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7F}é😀\u{2028}\"")
    }

    @Test func nonFiniteNumbersAreNull() {
        #expect(JSON.array([.number(.nan), .number(.infinity)]).serialized() == "[null,null]")
    }

    @Test func doublesRoundTrip() throws {
        var random = RandomGenerator(seed: 2)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            let read = try #require(try JSON.parse(JSON.number(value).serialized()).double)
            #expect(read.bitPattern == value.bitPattern)
        }
    }

    @Test func objectEqualityIgnoresOrder() {
        let a: JSON = ["x": 1, "y": 2]
        let b: JSON = ["y": 2, "x": 1]
        let c: JSON = ["x": 1, "z": 2]
        #expect(a == b)
        #expect(a != c)
    }

    @Test func membersCanBeSetAndRemoved() {
        var object: JSONObject = ["a": 1]
        object["b"] = 2
        object["a"] = 3
        #expect(object.keys == ["a", "b"])
        #expect(object.values == [3, 2])
        object["a"] = nil
        object["absent"] = nil
        #expect(object.keys == ["b"])
    }
}
