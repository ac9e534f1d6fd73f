/// How a stored picture is to be turned, the value of the EXIF tag Orientation (0x0112).
///
/// The names say where the stored row 0 and column 0 are seen, as in the EXIF standard (CIPA DC-008).
public enum Orientation: Int, Sendable, CaseIterable {
    /// As stored.
    case upright = 1
    /// Mirrored left to right.
    case mirrored = 2
    /// Turned by 180°.
    case upsideDown = 3
    /// Mirrored top to bottom.
    case flipped = 4
    /// Rows and columns exchanged.
    case transposed = 5
    /// To be turned by 90° clockwise.
    case rightTop = 6
    /// Rows and columns exchanged about the other diagonal.
    case transverse = 7
    /// To be turned by 90° counter-clockwise.
    case leftBottom = 8

    /// Whether width and height change places.
    public var exchangesSides: Bool { rawValue >= 5 }
}

extension Orientation {
    /// The tag in a block of EXIF data (a TIFF header and its first directory); nil when it is missing or malformed.
    ///
    /// Values outside 1...8 count as missing.
    init?(exif bytes: ByteReader) {
        guard let mark = bytes.bigEndian16(at: 0), mark == 0x4949 || mark == 0x4d4d else { return nil }
        let little = mark == 0x4949
        func short(_ offset: Int) -> Int? {
            bytes.bigEndian16(at: offset).map { Int(little ? $0.byteSwapped : $0) }
        }
        func long(_ offset: Int) -> Int? {
            bytes.bigEndian32(at: offset).map { Int(little ? $0.byteSwapped : $0) }
        }
        guard short(2) == 42, let directory = long(4), let entries = short(directory) else { return nil }
        for entry in 0..<entries {
            let offset = directory + 2 + entry * 12
            guard let tag = short(offset), let type = short(offset + 2) else { return nil }
            guard tag == 0x0112 else { continue }
            let value: Int? =
                switch type {
                case 1: bytes.byte(at: offset + 8).map { Int($0) }
                case 3: short(offset + 8)
                case 4: long(offset + 8)
                default: nil
                }
            guard let value, let orientation = Orientation(rawValue: value) else { return nil }
            self = orientation
            return
        }
        return nil
    }
}
