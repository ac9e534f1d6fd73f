public import Basics

extension TrainingEvent {
    /// The event as one line for scripts.
    public var line: JSON? {
        var object = JSONObject()
        func with(_ name: String, _ json: JSON) -> JSON {
            object["event"] = .string(name)
            for (key, value) in json.object ?? JSONObject() { object[key] = value }
            return .object(object)
        }
        switch self {
        case .stageStarted(let outline):
            let parts = outline.parts.map { part -> JSON in
                [
                    "part": .string(part.name), "parameters": .int(part.parameters), "trainable": .int(part.trainable),
                    "learning_rate": part.learningRate.map { .number($0) } ?? .null,
                ]
            }
            var started: JSONObject = [
                "stage": .string(outline.name), "steps": .int(outline.totalSteps), "done": .int(outline.doneSteps),
                "parts": .array(parts),
            ]
            if outline.coded.weights > 0 {
                started["coded_weights"] = .int(outline.coded.weights)
                started["coded_bytes"] = .int(outline.coded.bytes)
            }
            return with("stage", .object(started))
        case .step(let report): return with("step", report.json)
        case .evaluated(let report): return with("evaluation", report.json)
        case .checkpoint(let path): return with("checkpoint", ["path": .string(path)])
        case .stageFinished(let summary): return with("stage_finished", summary.json)
        case .note(let text): return with("note", ["text": .string(text)])
        }
    }
}
