#!/usr/bin/env bash
# Sets up, builds and runs all tests. Arguments go to cmake; BUILD names the build directory.
#
#   tests/run.sh
#   BUILD=/tmp/bn-asan tests/run.sh -DBN_SANITIZE=address,undefined
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$root/build}

"$root/tests/packages.sh" strace
echo "build: $build"
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBN_TESTS=ON "$@"
cmake --build "$build" --parallel "$(nproc)"
echo "tests: everything that ctest knows"
ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)"
