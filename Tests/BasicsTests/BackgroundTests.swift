import Basics
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct BackgroundTests {
    @Test func itsResultIsWaitedFor() throws {
        let other = Background { try Background { 6 }.wait() * 7 }
        #expect(try other.wait() == 42)
    }

    @Test func itMayBeAskedAgain() throws {
        let work = Background { 6 }
        #expect(try work.wait() + work.wait() == 12)
    }

    @Test func whoLetsGoOfItWaitsToo() {
        let isDone = Monitor(false)
        _ = Background {
            usleep(20_000)
            isDone.update { $0 = true }
        }
        #expect(isDone.update { $0 })
    }

    @Test func itsErrorComesToWhoWaits() {
        let failing = Background<Int> { throw UserError("no", fix: "yes") }
        #expect(throws: UserError.self) { try failing.wait() }
    }
}
