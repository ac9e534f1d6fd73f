/// The texts of a batch without repetition, and which are whose.
package struct Statements {
    /// Each different text, in the order of first appearance.
    package let texts: [[Int32]]
    /// `[pictures, texts]`, row by row: 1 where the text is the picture's, −1 elsewhere.
    package let targets: [Float]

    /// - Parameter pictures: the texts of each picture.
    package init(_ pictures: [[[Int32]]]) {
        var places: [[Int32]: Int] = [:]
        var distinct: [[Int32]] = []
        let owned = pictures.map { texts in
            texts.map { text in
                if let place = places[text] { return place }
                places[text] = places.count
                distinct.append(text)
                return places.count - 1
            }
        }
        var targets = [Float](repeating: -1, count: pictures.count * places.count)
        for (picture, texts) in owned.enumerated() {
            for text in texts { targets[picture * places.count + text] = 1 }
        }
        texts = distinct
        self.targets = targets
    }
}
