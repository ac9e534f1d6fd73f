#!/usr/bin/env bash
# Runs the tests, program included, under the address sanitizer; what is given goes to `swift test`. Builds into .build-asan.
# (The thread sanitizer does not see locks of Swift's `Mutex` on Linux, and reports all that they guard.)
#
#     Scripts/test-sanitized.sh                            every test
#     Scripts/test-sanitized.sh --filter TensorCoreTests   the kernels'
set -euo pipefail
source "$(dirname "$0")/setup.sh"
sanitized=(-c release --sanitize=address --scratch-path .build-asan)
swift build "${sanitized[@]}" --build-tests
# What lives as long as the program is no leak.
ASAN_OPTIONS=detect_leaks=0 swift test "${sanitized[@]}" --skip-build "$@"
