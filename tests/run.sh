#!/usr/bin/env bash
# Sets up, builds and runs all tests, and says which were skipped and which took longest. Arguments go
# to cmake; BUILD names the build directory; TESTS is a regular expression, for the tests with such
# names alone.
#
#   tests/run.sh
#   BUILD=/tmp/bn-asan tests/run.sh -DBN_SANITIZE=address,undefined
#   TESTS='^io:' tests/run.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$root/build}
unset "${!PYTHON@}"  # PYTHONUNBUFFERED, for one, makes what fails for others work

"$root/tests/packages.sh" strace locales
echo "build: $build"
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBN_TESTS=ON "$@"
cmake --build "$build" --parallel "$(nproc)"

echo "tests: ${TESTS:-everything that ctest knows}"
status=0
ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" -R "${TESTS:-.}" |
  tee "$build/tests.log" || status=$?
echo
echo "skipped within the tests above:"
grep -ho '^skipped: .*' "$build/Testing/Temporary/LastTest.log" || echo "nothing"
echo
echo "the slowest of them:"
sed -nE 's/.*Test +#[0-9]+: (.*[^ .]) \.+.* ([0-9.]+) sec$/\2 s  \1/p' "$build/tests.log" |
  sort -rn | sed -n 1,5p  # reads all: sort must not die of a pipe that is closed
exit $status
