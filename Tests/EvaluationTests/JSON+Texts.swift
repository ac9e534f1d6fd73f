import Basics
import Testing

/// The strings of a JSON array; a test fails where it is none.
func texts(_ value: JSON?) throws -> [String] {
    let elements = try #require(value?.array)
    return elements.compactMap(\.string)
}
