#!/usr/bin/env bash
# Installs bn and builds the C++ example of README.md against it with the CMake lines of README.md,
# as a user would.
#
#   package_test.sh ROOT BUILD COMPILER FLAGS
set -euo pipefail
root=$1 build=$2 compiler=$3 flags=$4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

block() {  # LANGUAGE: the first block in it
  awk -v start="\`\`\`$1" '$0 == start { on = 1; next } on && /^```$/ { exit } on' "$root/README.md"
}

cmake --install "$build" --prefix "$work/prefix" >/dev/null
mkdir "$work/user"
block cpp >"$work/user/main.cpp"
block cmake >"$work/user/CMakeLists.txt"
cmake -S "$work/user" -B "$work/user/build" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags"
cmake --build "$work/user/build"
"$work/user/build/example" | tee "$work/output"
printf "mean 2.5 30\nrunning_var 1.06667 47.5667\ndbeta 4 5\n" | cmp - "$work/output"
"$work/prefix/bin/bn" --version
