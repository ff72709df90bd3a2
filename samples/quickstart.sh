#!/usr/bin/env bash
# Sets everything up and runs the main job on real data: 150 flowers (2-D) and two photos (NCHW).
set -euo pipefail

if [ -z "${BN:-}" ]; then
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  "$root/tests/packages.sh"
  echo "build: $root/build/bn"
  cmake -S "$root" -B "$root/build" -DCMAKE_BUILD_TYPE=Release >/dev/null
  cmake --build "$root/build" --target bn_cli --parallel "$(nproc)"
fi
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# What the rest of a network would send back, dloss/dy: here simply a wave.
wave() {
  "$python" -c '
import sys, numpy as np
x = np.load(sys.argv[1])
np.save(sys.argv[2], np.sin(np.arange(x.size)).astype(x.dtype).reshape(x.shape))' "$1" "$2"
}

normalise() {  # NAME CHANNELS NAMES
  local x=$samples/$1.npy
  run init --preset pytorch --channels "$2" -o "$1.json"
  run forward "$x" --state "$1.json" -o "$1_train.npy" --cache "$1_cache.json"
  run forward "$x" --state "$1.json" --mode test -o "$1_test.npy"
  wave "$x" "$1_dy.npy"
  run backward "$1_dy.npy" --x "$x" --cache "$1_cache.json" \
    --dx "$1_dx.npy" --dgamma "$1_dgamma.npy" --dbeta "$1_dbeta.npy"
  echo
  "$python" "$samples/show.py" "$3" "x=$x" "y in train mode=$1_train.npy" \
    "the state=$1.json" "y in test mode=$1_test.npy" "dx=$1_dx.npy" \
    "dgamma=$1_dgamma.npy" "dbeta=$1_dbeta.npy"
}

echo
echo "== 150 irises, four measurements in cm =="
normalise iris 4 "sepal length,sepal width,petal length,petal width"
echo
echo "== Two photos, three colours =="
normalise photos 3 red,green,blue
cat <<'END'

In train mode every channel has mean 0 and variance 1 (a little less, because of eps), whatever it
had before, and the mean of dx is 0. One batch has moved the running statistics by a tenth from 0 and
1 towards those of x, so the test mode, which uses them, does not normalise x yet; bn calibrate or
more batches would.
END
