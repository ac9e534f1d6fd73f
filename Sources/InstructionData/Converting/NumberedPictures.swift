/// Pictures of an annotation file by their numbers, each of which stands once.
///
/// Two pictures of one number make their annotations anybody's: which of the two is meant cannot be known, so the second is a
/// fault. Annotations follow the first when that is left out.
struct NumberedPictures<Picture> {
    /// The pictures in the order of the file.
    private(set) var all: [Picture] = []
    private var places: [Int: Int] = [:]

    /// Adds a picture.
    /// - Throws: `EntryFault` when its number is another's already.
    mutating func add(_ picture: Picture, number: Int) throws(EntryFault) {
        guard places[number] == nil else {
            throw EntryFault(
                "two images have the number \(number)", fix: "remove one, or pass --lenient to keep the first")
        }
        places[number] = all.count
        all.append(picture)
    }

    /// The picture of a number; nil when there is none, and then it can't be set.
    subscript(number: Int) -> Picture? {
        get { places[number].map { all[$0] } }
        set { if let place = places[number], let newValue { all[place] = newValue } }
    }
}
