extension StageTotals {
    /// Adds a step's figures; `counts` are those since the stage began.
    mutating func add(_ report: StepReport, counts: DataCounts) {
        tokens += report.tokens
        pictures += report.pictures
        seconds += report.seconds
        waitSeconds += report.waitSeconds
        firstLoss = firstLoss ?? report.loss
        lastLoss = report.loss
        self.counts = counts
    }
}

extension DataCounts {
    /// Counts before a resume and after it.
    static func + (a: DataCounts, b: DataCounts) -> DataCounts {
        DataCounts(
            samples: a.samples + b.samples, rejected: a.rejected + b.rejected, replaced: a.replaced + b.replaced,
            truncated: a.truncated + b.truncated, cutTokens: a.cutTokens + b.cutTokens)
    }
}
