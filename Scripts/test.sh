#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. Release mode: kernels without optimisation are fifty times slower.
set -euo pipefail
source "$(dirname "$0")/setup.sh"
swift build -c release --build-tests
swift test -c release --skip-build "$@"

# The kernels of older processors too; the machine's own ran above.
if [ $# -eq 0 ]; then
  for level in baseline avx2 avx512-vnni; do
    VITRAIL_CPU=$level swift test -c release --skip-build --filter TensorCoreTests
  done
fi
