// swift-tools-version: 6.1
import PackageDescription

// Layers: each target imports lower rows only, siblings never import each other (see CONTRIBUTING.md).
//   0  Basics, Jinja (on Basics), CPNG, CJPEG, CZlib, CKernels, CImageCodecs
//   1  TensorCore, Imaging, Tokenization
//   2  CPUBackend, ReferenceBackend, NeuralNetwork
//   3  Checkpointing, InstructionData, Tuning (on Checkpointing)
//   4  VisionLanguage, DataGeneration (on CHTTP)
//   5  Training, Evaluation
//   6  VitrailCommand (the `vitrail` executable), Vitrail (umbrella library)

// CHTTP loads libcurl, and CKernels OpenBLAS, when they first need them.

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// A Swift target with the house's settings.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

/// The tests of one target, under `Tests/<name>Tests`; they read the files of their folder `Fixtures` where they lie.
func tests(_ name: String, _ dependencies: [Target.Dependency], hasFixtures: Bool = false) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: dependencies, exclude: hasFixtures ? ["Fixtures"] : [],
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "vitrail",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "vitrail", targets: ["VitrailCommand"]),
        .library(name: "Vitrail", targets: ["Vitrail"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        // 0: system libraries, C code, and what every room needs
        .systemLibrary(
            name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
        .systemLibrary(
            name: "CJPEG", pkgConfig: "libjpeg",
            providers: [.apt(["libjpeg62-turbo-dev"]), .brew(["jpeg-turbo"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(name: "CKernels", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        .target(name: "CImageCodecs", dependencies: ["CPNG", "CJPEG"]),
        .target(name: "CHTTP", linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        library("Basics"),
        library("Jinja", ["Basics"]),

        // 1
        library("TensorCore", ["Basics"]),
        library("Imaging", ["Basics", "CImageCodecs"]),
        library("Tokenization", ["Basics", "Jinja"]),

        // 2
        library("CPUBackend", ["Basics", "TensorCore", "CKernels"]),
        library("ReferenceBackend", ["Basics", "TensorCore"]),
        library("NeuralNetwork", ["Basics", "TensorCore"]),

        // 3
        library("Checkpointing", ["Basics", "TensorCore", "NeuralNetwork"]),
        library("InstructionData", ["Basics", "Jinja", "Imaging", "Tokenization", "CZlib", yams]),
        library("Tuning", ["Basics", "TensorCore", "NeuralNetwork", "Checkpointing"]),

        // 4
        library(
            "VisionLanguage",
            ["Basics", "TensorCore", "Imaging", "Tokenization", "NeuralNetwork", "Checkpointing"]),

        library(
            "DataGeneration", ["Basics", "Jinja", "Imaging", "Tokenization", "InstructionData", "CHTTP", yams]),

        // 5
        library(
            "Training",
            [
                "Basics", "TensorCore", "Imaging", "Tokenization", "NeuralNetwork", "Checkpointing",
                "InstructionData", "Tuning", "VisionLanguage", yams, logging,
            ]),
        library("Evaluation", ["Basics"]),

        // 6
        .executableTarget(
            name: "VitrailCommand",
            dependencies: [
                "Basics", "TensorCore", "Imaging", "Tokenization", "CPUBackend", "NeuralNetwork",
                "Checkpointing", "InstructionData", "Tuning", "VisionLanguage", "DataGeneration", "Training",
                "Evaluation", arguments,
                logging,
            ],
            swiftSettings: swiftSettings),
        library(
            "Vitrail",
            [
                "TensorCore", "Imaging", "Tokenization", "CPUBackend", "NeuralNetwork", "Checkpointing",
                "InstructionData", "Tuning", "VisionLanguage", "Training", "Evaluation",
            ]),
        .executableTarget(
            name: "ImageFuzzer", dependencies: ["Basics", "Imaging"], path: "Tests/ImageFuzzer",
            swiftSettings: swiftSettings),

        // Tests
        .target(
            name: "TestSupport",
            dependencies: [
                "Basics", "TensorCore", "CPUBackend", "ReferenceBackend", "NeuralNetwork", "Checkpointing",
            ],
            path: "Tests/TestSupport", swiftSettings: swiftSettings),
        tests("Basics", ["Basics", "TestSupport"]),
        tests(
            "TensorCore",
            [
                "Basics", "CKernels", "TensorCore", "CPUBackend", "ReferenceBackend", "NeuralNetwork", "Checkpointing",
                "TestSupport",
            ], hasFixtures: true),
        tests("Imaging", ["Basics", "Imaging", "Checkpointing", "TestSupport"], hasFixtures: true),
        tests("Jinja", ["Basics", "Jinja"], hasFixtures: true),
        tests("Tokenization", ["Basics", "Tokenization", "TestSupport"], hasFixtures: true),
        tests("NeuralNetwork", ["Basics", "TensorCore", "NeuralNetwork", "TestSupport"], hasFixtures: true),
        tests("Checkpointing", ["Basics", "TensorCore", "NeuralNetwork", "Checkpointing", "TestSupport"]),
        tests(
            "InstructionData",
            ["Basics", "Jinja", "Imaging", "Tokenization", "InstructionData", "TestSupport"], hasFixtures: true),
        tests("DataGeneration", ["Basics", "InstructionData", "Tokenization", "DataGeneration", "TestSupport"]),
        tests(
            "VisionLanguage",
            [
                "Basics", "TensorCore", "CPUBackend", "Imaging", "Tokenization", "NeuralNetwork", "Checkpointing",
                "Tuning", "VisionLanguage", "TestSupport",
            ], hasFixtures: true),
        tests(
            "Training",
            [
                "Basics", "TensorCore", "Tokenization", "NeuralNetwork", "Checkpointing", "InstructionData",
                "VisionLanguage", "Training", "CPUBackend", "TestSupport",
            ]),
        tests(
            "Tuning",
            [
                "Basics", "TensorCore", "NeuralNetwork", "Checkpointing", "Tuning", "VisionLanguage", "TestSupport",
            ]),
        tests("Evaluation", ["Basics", "Evaluation", "TestSupport"]),
        tests("VitrailCommand", ["VitrailCommand"]),
    ]
)
