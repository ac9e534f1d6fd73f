// One import for programs that train or ask vision-language models.
@_exported public import CPUBackend
@_exported public import Checkpointing
@_exported public import Evaluation
@_exported public import Imaging
@_exported public import InstructionData
@_exported public import NeuralNetwork
@_exported public import TensorCore
@_exported public import Tokenization
@_exported public import Training
@_exported public import Tuning
@_exported public import VisionLanguage
