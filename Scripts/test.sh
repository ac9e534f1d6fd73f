#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. Release mode: kernels without optimisation are fifty times slower.
set -euo pipefail
source "$(dirname "$0")/setup.sh"
# A closed standard input would lend its number to whatever is opened first; tests ask a server of their own.
exec </dev/null
export no_proxy="127.0.0.1${no_proxy:+,$no_proxy}"
swift build -c release --build-tests

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Runs tests; what failed stands at the end too, where thousands of lines have not buried it.
run_tests() {
  swift test -c release --skip-build "$@" 2>&1 | tee "$log" && return
  echo "── What failed"
  grep -E -A 8 'recorded an issue|error: ' "$log" || true
  return 1
}
run_tests "$@"

# The kernels of older processors too; the machine's own ran above.
if [ $# -eq 0 ]; then
  for level in baseline avx2 avx512-vnni; do
    VITRAIL_CPU=$level run_tests --filter TensorCoreTests
  done
fi
