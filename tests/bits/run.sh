#!/usr/bin/env bash
# The same bits from GCC and Clang, every instruction set, emulated older CPUs, compilers that may use
# what this CPU or a newer one has everywhere, and aarch64: each builds or runs bn_digest and compares
# with digest.txt. Build directories are build-bits-*, or in the directory that BUILD names.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD:-$root/build-bits}
jobs=$(nproc)

"$root/tests/packages.sh" clang qemu-user g++-aarch64-linux-gnu
mkdir -p "$build"

build_digest() {  # NAME COMPILER FLAGS: sets digest
  echo "bits: $1"
  cmake -S "$root" -B "$build/$1" -DCMAKE_BUILD_TYPE=Release -DBN_TESTS=ON \
    -DBN_WARNINGS_AS_ERRORS=ON -DCMAKE_CXX_COMPILER="$2" -DCMAKE_CXX_FLAGS="$3" >"$build/$1.log"
  cmake --build "$build/$1" --parallel "$jobs" --target bn_digest >>"$build/$1.log"
  digest=$build/$1/tests/bits/bn_digest
}

for compiler in g++ clang++; do
  build_digest "$compiler" "$compiler" ""
  for set in baseline avx2 avx512; do
    BN_INSTRUCTION_SET=$set "$here/compare.sh" "$digest"
  done
  # CPUs without AVX, and with AVX2 but not AVX-512; there the library chooses for itself.
  for cpu in Nehalem Haswell; do
    "$here/compare.sh" qemu-x86_64 -cpu "$cpu" "$digest"
  done
done

build_digest g++-native g++ -march=native
"$here/compare.sh" "$digest"
build_digest clang++-x86-64-v3 clang++ -march=x86-64-v3
"$here/compare.sh" qemu-x86_64 -cpu Haswell "$digest"

echo "bits: aarch64"
# Of the libraries only Boost's headers are needed; others of this machine must not be found.
mkdir -p "$build/aarch64/include"
ln -sfn /usr/include/boost "$build/aarch64/include/boost"
objects=()
compile=()
for source in "$root"/src/bn/{.,arrays,exact,passes,tiles}/*.cpp \
  "$root"/src/bn/kernels/{baseline,select}.cpp "$here/digest.cpp"; do
  object=$build/aarch64/$(basename "$source" .cpp).o
  objects+=("$object")
  compile+=("$source" "$object")
done
printf '%s\0' "${compile[@]}" | xargs -0 -n 2 -P "$jobs" bash -c '
  aarch64-linux-gnu-g++ -std=c++20 -O3 -DNDEBUG -ffp-contract=off -I "$0/src" \
    -isystem "$1/include" -c "$2" -o "$3"' "$root" "$build/aarch64"
aarch64-linux-gnu-g++ -pthread "${objects[@]}" -o "$build/aarch64/bn_digest"
"$here/compare.sh" qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/aarch64/bn_digest"
