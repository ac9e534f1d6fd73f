import Basics

/// The prompts that are shipped.
let shippedPrompts = Paths.join(Paths.parent(Paths.parent(Paths.parent(#filePath))), "Datasets/prompts")
