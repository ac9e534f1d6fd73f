import NeuralNetwork

extension Trainer {
    func rates(
        _ stage: StageRecipe, _ parts: TrainableParts, step: Int, of total: Int
    ) -> (groups: [GroupRate], peak: Double) {
        let rate = stage.learningRate
        func schedule(_ peak: Double) -> Schedule {
            Schedule(peak: peak, warmup: rate.warmup, totalSteps: total, decay: rate.decay, floor: rate.floor)
        }
        let groups = zip(parts.names, parts.factors).map { name, factor in
            GroupRate(
                learningRate: schedule(rate.parts[name] ?? rate.peak).rate(at: step) * factor,
                weightDecay: stage.optimizer.weightDecay)
        }
        return (groups, schedule(rate.peak).rate(at: step))
    }

    func outline(
        _ index: Int, _ stage: StageRecipe, _ parts: TrainableParts, _ tree: ParameterTree, totalSteps: Int,
        doneSteps: Int, coded: (weights: Int, bytes: Int) = (0, 0)
    ) -> StageOutline {
        let names = parts.names.indices.filter { parts.names.firstIndex(of: parts.names[$0]) == $0 }
            .map { parts.names[$0] }
        let rows = names.map { name in
            let own = tree.filter { TrainableParts.part($0.path) == name }
            let trained = zip(parts.names, parts.groups).filter { $0.0 == name }.flatMap(\.1.entries)
            let known = Set(own.entries.map { ObjectIdentifier($0.parameter) })
            // What adapters add counts as part of the model while they are at work.
            let added = trained.filter { !known.contains(ObjectIdentifier($0.parameter)) }
            return StageOutline.Part(
                name: name, parameters: own.count + ParameterTree(added).count, trainable: ParameterTree(trained).count,
                learningRate: trained.isEmpty ? nil : stage.learningRate.parts[name] ?? stage.learningRate.peak)
        }
        return StageOutline(
            name: stage.name, index: index, stageCount: recipe.stages.count, totalSteps: totalSteps,
            doneSteps: doneSteps, parts: rows, coded: coded)
    }
}
