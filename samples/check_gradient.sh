#!/usr/bin/env bash
# Somebody else's gradient held against bn backward: the usual NumPy code, once right and once with
# a slip that is easy to make.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

cat >theirs.py <<'END'
import sys
import numpy as np

def backward(dy, x, gamma, eps):
    mean, var = x.mean(axis=0), x.var(axis=0)
    x_hat = (x - mean) / np.sqrt(var + eps)
    dx_hat = dy * gamma
    dvar = np.sum(dx_hat * (x - mean) * -0.5 * (var + eps) ** -1.5, axis=0)
    dmean = np.sum(-dx_hat / np.sqrt(var + eps), axis=0)
    if sys.argv[2] == "slip":
        dmean = dmean / len(x)  # divided by m here, and again below
    return dx_hat / np.sqrt(var + eps) + dvar * 2 * (x - mean) / len(x) + dmean / len(x)

x = np.load(sys.argv[1])
dy = np.sin(np.arange(x.size)).reshape(x.shape)
np.save("dy.npy", dy)
np.save("theirs.npy", backward(dy, x, np.ones(x.shape[1]), 1e-5))
END
cat >compare.py <<'END'
import numpy as np
dx, theirs = np.load("dx.npy"), np.load("theirs.npy")
error = abs(theirs - dx).max() / abs(dx).max()
print(f"largest difference, relative to the largest gradient: {error:.1e}:",
      "they agree" if error <= 1e-9 else "theirs is wrong")
END

"$bn" init --channels 13 -o state.json
for version in right slip; do
  echo
  echo "== theirs, the $version version =="
  "$python" theirs.py "$samples/wine.npy" "$version"
  run backward dy.npy --x "$samples/wine.npy" --state state.json --dx dx.npy
  "$python" compare.py | tee "$version.txt"
done
grep -q "they agree" right.txt && grep -q "theirs is wrong" slip.txt
