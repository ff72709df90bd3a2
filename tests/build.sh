#!/usr/bin/env bash
# Installs what is missing and builds one target, Release, into build/ (or BUILD). Says what it does
# on standard error.
#
#   tests/build.sh TARGET
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$root/build}

exec >&2
"$root/tests/packages.sh"
echo "build: $build"
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBN_TESTS=ON
cmake --build "$build" --parallel "$(nproc)" --target "$1"
