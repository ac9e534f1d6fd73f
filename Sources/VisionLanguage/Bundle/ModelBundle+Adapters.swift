package import Checkpointing

extension ModelBundle {
    /// Names of the weights in the model's own files: what an adapter's files are written with.
    package var keyTable: KeyTable { ModelFamily.table(model.configuration) }
}
