#!/usr/bin/env bash
# Somebody else's batch normalisation held against the exact results: the usual NumPy code for
# training, once right and once with three slips that are easy to make. bn verify finds all three.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

cat >theirs.py <<'END'
import json, sys
import numpy as np

slip = sys.argv[2] == "slips"
before = json.load(open("before.json"))
gamma, beta, eps = np.array(before["gamma"]), np.array(before["beta"]), before["eps"]
x = np.load(sys.argv[1])
dy = np.sin(np.arange(x.size) + 0.25).reshape(x.shape)
m = len(x)

mean, var = x.mean(axis=0), x.var(axis=0)
std = np.sqrt(var) + eps if slip else np.sqrt(var + eps)  # eps outside the root
x_hat = (x - mean) / std
np.save("y.npy", (gamma * x_hat + beta).astype(np.float32))

w = 0.9 if slip else 0.1  # the weight of the batch, which PyTorch calls momentum and others do not
json.dump({"running_mean": list((1 - w) * np.array(before["running_mean"]) + w * mean),
           "running_var": list((1 - w) * np.array(before["running_var"]) + w * var * m / (m - 1)),
           "num_batches_tracked": before["num_batches_tracked"] + 1}, open("after.json", "w"))

x_hat = (x - mean) / np.sqrt(var + eps)
dgamma, dbeta = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
terms = 0 if slip else dbeta / m + x_hat * dgamma / m  # mean and variance depend on x, too
np.save("dy.npy", dy)
np.save("dx.npy", (gamma / np.sqrt(var + eps) * (dy - terms)).astype(np.float32))
np.save("dgamma.npy", dgamma)
np.save("dbeta.npy", dbeta)
END

# What a layer that has learnt something may look like.
"$python" -c '
import numpy as np
random = np.random.default_rng(2)
np.save("gamma.npy", random.normal(1, 0.3, 13))
np.save("beta.npy", random.normal(0, 0.5, 13))'
"$bn" init --preset pytorch --gamma gamma.npy --beta beta.npy -o before.json

for version in right slips; do
  echo
  echo "== theirs, $version =="
  "$python" theirs.py "$samples/wine.npy" "$version"
  claims=(--state before.json --y y.npy --state-after after.json --dy dy.npy --dx dx.npy
          --dgamma dgamma.npy --dbeta dbeta.npy)
  run verify "$samples/wine.npy" "${claims[@]}" | tee "$version.txt" || [ "$version" = slips ]
  "$bn" verify "$samples/wine.npy" "${claims[@]}" --json >"$version.json" || [ "$version" = slips ]
done
grep -q '"holds": true' right.json
for mistake in eps_outside_root momentum_other_side mean_terms_missing; do
  grep -q "\"mistakes\": \[\"$mistake\"\]" slips.json
done
