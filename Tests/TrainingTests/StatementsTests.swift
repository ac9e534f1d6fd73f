import Testing
import Training

@Suite("Statements of a batch")
struct StatementsTests {
    @Test func aStatementIsWrongForEveryPictureThatDoesNotListIt() {
        let red: [Int32] = [1]
        let round: [Int32] = [2, 3]
        let blue: [Int32] = [4]
        let batch = Statements([[red, round], [round, blue], [red, red]])
        #expect(batch.texts == [red, round, blue])
        #expect(batch.targets == [1, 1, -1, -1, 1, 1, 1, -1, -1])
    }
}
