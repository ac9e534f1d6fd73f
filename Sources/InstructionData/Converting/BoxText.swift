import Basics

/// Boxes as texts: `[x1, y1, x2, y2]` from 0 to 1, three decimals, as LLaVA writes them.
enum BoxText {
    /// - Parameter box: left, top, width and height in pixels.
    static func normalised(_ box: [Double], width: Double, height: Double) throws(EntryFault) -> String {
        guard box.count == 4, width >= 1, height >= 1, box.allSatisfy({ $0.isFinite && abs($0) < 1e9 }), box[2] >= 0,
            box[3] >= 0
        else { throw EntryFault("a box is not [left, top, width, height] within a picture", fix: "correct it") }
        let corners = [box[0] / width, box[1] / height, (box[0] + box[2]) / width, (box[1] + box[3]) / height]
        return "[" + corners.map { decimals(min(1, max(0, $0))) }.joined(separator: ", ") + "]"
    }

    private static func decimals(_ value: Double) -> String {
        let thousandths = Int((value * 1000).rounded())
        let fraction = String(thousandths % 1000)
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
    }
}
