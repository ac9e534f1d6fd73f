/// One file inside a tar archive.
public struct TarEntry: Sendable, Equatable {
    /// The member's path as the archive has it, without a leading `./`.
    public var name: String
    /// Where its bytes begin, counted from the start of the (uncompressed) archive.
    public var offset: Int
    /// Bytes of the file.
    public var size: Int
}
