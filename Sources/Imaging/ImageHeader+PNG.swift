extension ImageHeader {
    /// IHDR, and the orientation of an eXIf chunk wherever it stands (PNG third edition, 11.2.1 and 11.3.4.5), or of the
    /// text chunk in which ImageMagick wrote EXIF data before there was one.
    init?(png bytes: ByteReader) {
        guard bytes.bigEndian32(at: 12) == 0x4948_4452,  // IHDR
            let width = bytes.bigEndian32(at: 16), let height = bytes.bigEndian32(at: 20),
            let depth = bytes.byte(at: 24), let type = bytes.byte(at: 25), let interlace = bytes.byte(at: 28)
        else { return nil }
        let colours: [UInt8: String] = [
            0: "gray", 2: "RGB", 3: "palette", 4: "gray and alpha", 6: "RGB and alpha",
        ]
        guard let colour = colours[type] else { return nil }
        self.init(
            format: .png, storedSize: PixelSize(width: Int(width), height: Int(height)), bitDepth: Int(depth),
            colour: colour, isProgressive: interlace != 0)

        var offset = 8
        while let length = bytes.bigEndian32(at: offset), let kind = bytes.bigEndian32(at: offset + 4) {
            if kind == 0x6558_4966 {  // eXIf
                var exif = bytes.slice(offset + 8, Int(length))
                if exif.starts(with: "Exif\0\0") { exif = exif.slice(6, exif.count) }
                orientation = Orientation(exif: exif) ?? .upright
                return
            }
            if kind == 0x7445_5874 {  // tEXt
                let text = bytes.slice(offset + 8, Int(length))
                if let found = Self.orientation(rawProfile: text) { orientation = found }
            }
            if kind == 0x4945_4e44 { return }  // IEND
            offset += 12 + Int(length)
        }
    }

    /// `Raw profile type exif`, a zero, a line break, the name, the length in decimal, and the bytes in hexadecimal.
    private static func orientation(rawProfile text: ByteReader) -> Orientation? {
        let keyword: StaticString = "Raw profile type exif\0\nexif\n"
        guard text.starts(with: keyword), text.count < 1 << 20 else { return nil }
        var offset = keyword.utf8CodeUnitCount
        while let byte = text.byte(at: offset), byte != UInt8(ascii: "\n") { offset += 1 }
        var digits: [UInt8] = []
        while let byte = text.byte(at: offset) {
            if let digit = Character(Unicode.Scalar(byte)).hexDigitValue { digits.append(UInt8(digit)) }
            offset += 1
        }
        let bytes = stride(from: 0, to: digits.count - digits.count % 2, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        return bytes.withUnsafeBytes { buffer in
            var exif = ByteReader(buffer)
            if exif.starts(with: "Exif\0\0") { exif = exif.slice(6, exif.count) }
            return Orientation(exif: exif)
        }
    }
}
