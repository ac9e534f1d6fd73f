import Basics
import Testing

@Suite struct BackgroundTests {
    @Test func itsResultIsWaitedFor() throws {
        let other = Background { try Background { 6 }.wait() * 7 }
        #expect(try other.wait() == 42)
    }

    @Test func itsErrorComesToWhoWaits() {
        let failing = Background<Int> { throw UserError("no", fix: "yes") }
        #expect(throws: UserError.self) { try failing.wait() }
    }
}
