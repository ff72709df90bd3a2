#!/usr/bin/env bash
# Compares the speed of bn with cp, NumPy and, where installed, PyTorch and oneDNN, on two cores.
# Sets up, builds Release into build/ (or BUILD), makes its own data, prints tables in Markdown.
# Exits 0 whatever the figures are. Takes up to five minutes, 1.5 GB of disk and, with the page
# cache, 3 GB of memory; figures mean something only while the machine does nothing else.
#
#   tests/bench/run.sh [--small] [--dir DIR] [--rounds N]
#
#   --small      small arrays, once: only to see that it runs
#   --dir DIR    where the data goes for a while (default: /var/tmp)
#   --rounds N   of A B A B ... in each row, of which medians are taken (default: 5)
#
# PyTorch and oneDNN: apt-get install python3-torch libdnnl-dev
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-$root/build}

"$root/tests/build.sh" bench
BN=$build/bn BENCH_MEMORY=$build/tests/bench/bench_memory \
  exec /usr/bin/python3 -B "$root/tests/bench/bench.py" "$@"
