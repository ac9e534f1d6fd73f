/// Which record a position of training shows.
public struct SampleIndex: Sendable, Hashable {
    /// The data set, as a position in the mixture.
    public var component: Int
    /// The record in that data set.
    public var record: Int
    /// The epoch, from 0; drives choices inside the record, such as the order of its turns.
    public var epoch: Int

    /// Makes an index.
    public init(component: Int, record: Int, epoch: Int) {
        self.component = component
        self.record = record
        self.epoch = epoch
    }
}
