import Basics
import Imaging
import InstructionData
import VisionLanguage

/// An item with its number among all.
typealias WaitingItem = (offset: Int, element: AnswerItem)

/// Items with the answers of those that could be asked.
struct AnsweredBatch: Sendable {
    var items: [LoadedItem]
    /// In the order of the items without failure.
    var answers: [Answer]
    /// Whether the answer was printed while it came.
    var isShown = false
}

/// An item with its pictures' pixels, or the reason why it cannot be asked.
struct LoadedItem: Sendable {
    var index: Int
    var item: AnswerItem
    var pictures: [ImageTiles] = []
    var failure: UserError?
    /// What is to be said of its answer.
    var note: String?
}

/// Decodes and processes the pictures of items on threads of its own.
struct PictureLoader: Sendable {
    let processor: ImageProcessor?
    let workers: Int
    /// Archives are opened once for all items.
    let store: ImageStore

    func load(_ items: [WaitingItem]) throws -> [LoadedItem] {
        let waiting = items.map { LoadedItem(index: $0.offset, item: $0.element) }
        return try Parallel.map(waiting, workers: workers) { loaded in
            var result = loaded
            for image in loaded.item.images {
                do { result.pictures.append(try pixels(of: image, in: store)) } catch let error as any Problem {
                    // A fault of the machine at this moment, which another call may not have.
                    if let error = error as? FileError, error.isOfTheMachine { throw error }
                    let name = image.description
                    let problem = error.problem.contains(name) ? error.problem : "\(name): \(error.problem)"
                    result.failure = UserError(problem, fix: error.fix)
                    return result
                }
            }
            return result
        }
    }

    private func pixels(of image: ImageReference, in store: ImageStore) throws -> ImageTiles {
        guard let processor else { throw UserError("this model has no vision tower", fix: "ask without pictures") }
        return try store.withBytes(of: image) {
            try processor.tiles(decoding: $0, source: image.description)
        }
    }
}
