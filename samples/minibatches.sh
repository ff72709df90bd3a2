#!/usr/bin/env bash
# Trains the running statistics on one mini-batch file after another, for several rounds, then
# normalises a single wine with them: for one sample there is no batch to take statistics from.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# The last wine apart, the others shuffled, in batches of 32 (the last batch is smaller).
"$python" -c '
import sys, numpy as np
wine = np.load(sys.argv[1])
np.save("sample.npy", wine[-1:])
shuffled = np.random.default_rng(1).permutation(wine[:-1])
for i in range(0, len(shuffled), 32):
    np.save(f"batch{i // 32}.npy", shuffled[i:i + 32])' "$samples/wine.npy"

run init --preset pytorch --channels 13 -o state.json
echo
echo "\$ for batch in $(echo batch*.npy); do bn forward \$batch ...; done, ten times"
for _ in $(seq 10); do
  for batch in batch*.npy; do
    "$bn" forward "$batch" --state state.json -o y.npy
  done
done
run forward sample.npy --state state.json --mode test -o y.npy

"$python" -c '
import json, sys, numpy as np
state = json.load(open("state.json"))
wine, x, y = np.load(sys.argv[1]), np.load("sample.npy")[0], np.load("y.npy")[0]
print()
print("After", state["num_batches_tracked"], "batches. The running statistics come close to those")
print("of all the data; y says how many deviations the wine lies above or below the mean.")
print()
print("measurement  mean of all  running_mean  deviation of all  by running_var     the wine        y")
for c in range(13):
    print(f"{c:>11}{wine[:, c].mean():>13.5g}{state['"'"'running_mean'"'"'][c]:>14.5g}"
          f"{wine[:, c].std():>18.5g}{state['"'"'running_var'"'"'][c] ** 0.5:>16.5g}{x[c]:>13.5g}{y[c]:>9.3f}")' \
  "$samples/wine.npy"
