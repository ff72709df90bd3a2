#!/usr/bin/env bash
# Runs a million random batches that are made to be nasty, and compares every bit of the results
# with exact arithmetic. Builds Release into build/ (or BUILD). A few minutes; exits 1 where any
# result is not the exact one rounded once, and prints the first ten of those batches.
#
#   tests/hostile/run.sh [--configurations N] [--seed S]... [--only NUMBER] [--threads N]
#
#   --configurations N   how many of each seed (default: a million)
#   --seed S             other batches; may be given several times (default: 1)
#   --only NUMBER        one batch alone, as a miss names it
#   --threads N          (default: as many as there are cores)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-$root/build}

"$root/tests/build.sh" bn_hostile
exec "$build/tests/hostile/bn_hostile" "$@"
