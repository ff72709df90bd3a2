#!/usr/bin/env bash
# Runs a command that prints digests and compares them with digest.txt.
#
#   tests/bits/compare.sh build/tests/bits/bn_digest
#   tests/bits/compare.sh qemu-x86_64 -cpu Nehalem build/tests/bits/bn_digest
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$@" | diff "$here/digest.txt" - || {
  echo "other bits than those of tests/bits/digest.txt" >&2
  exit 1
}
echo "the same bits: $*"
