#!/usr/bin/env bash
# Runs the tests with AMX's tile instructions done in AVX-512: on a processor with AVX-512 BF16 and no tiles (Zen 4 and 5, Cooper
# Lake) the kernels of tiles are tested all the same, at a fraction of their speed. Builds into .build-tiles.
#
#     Scripts/test-tiles.sh                            every test
#     Scripts/test-tiles.sh --filter TensorCoreTests   the kernels'
set -euo pipefail
source "$(dirname "$0")/setup.sh"
emulated=(-c release --scratch-path .build-tiles -Xcc -DVITRAIL_EMULATED_TILES=1)
swift build "${emulated[@]}" --build-tests
swift test "${emulated[@]}" --skip-build "$@"
