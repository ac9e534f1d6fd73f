extension ImageHeader {
    /// The frame header, and the orientation of the first EXIF segment (ITU-T T.81 annex B; CIPA DC-008 4.5.4).
    init?(jpeg bytes: ByteReader) {
        var offset = 2
        var frame: ImageHeader?
        var orientation: Orientation?
        var sawEXIF = false
        scan: while let marker = Self.nextMarker(bytes, &offset) {
            switch marker {
            case 0xd8, 0x01, 0xd0...0xd7: continue scan  // without a length
            case 0xd9, 0xda: break scan  // end of image, start of scan: nothing of the header follows
            default: break
            }
            guard let length = bytes.bigEndian16(at: offset), length >= 2 else { break }
            let segment = bytes.slice(offset + 2, Int(length) - 2)
            offset += Int(length)
            switch marker {
            case 0xe1 where !sawEXIF && segment.starts(with: "Exif\0\0"):
                sawEXIF = true
                orientation = Orientation(exif: segment.slice(6, segment.count))
            case 0xc0...0xcf where marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
                frame = frame ?? ImageHeader(frame: segment, marker: marker)
            default: break
            }
        }
        guard var header = frame else { return nil }
        header.orientation = orientation ?? .upright
        self = header
    }

    private init?(frame: ByteReader, marker: UInt8) {
        guard let depth = frame.byte(at: 0), let height = frame.bigEndian16(at: 1),
            let width = frame.bigEndian16(at: 3), let components = frame.byte(at: 5)
        else { return nil }
        let colour =
            switch components {
            case 1: "gray"
            case 3: "YCbCr"
            case 4: "CMYK"
            default: "\(components) components"
            }
        self.init(
            format: .jpeg, storedSize: PixelSize(width: Int(width), height: Int(height)), bitDepth: Int(depth),
            colour: colour, isProgressive: marker & 3 == 2)
    }

    /// The code behind the next 0xff, skipping what does not belong there as libjpeg does.
    private static func nextMarker(_ bytes: ByteReader, _ offset: inout Int) -> UInt8? {
        while let byte = bytes.byte(at: offset) {
            offset += 1
            guard byte == 0xff else { continue }
            while let code = bytes.byte(at: offset) {
                offset += 1
                if code == 0xff { continue }
                if code == 0 { break }
                return code
            }
        }
        return nil
    }
}
