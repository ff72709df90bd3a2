"""bn verify: what is right, but for the rounding errors of its dtype, passes with the default tolerance."""

import itertools
import json
import os

import numpy as np

import mistakes
from harness import BnTest, DIFFERS, DONE, GOLDENS, main


# ---- Ways to add up m values of C channels, shape (m, C), in their own dtype --------------------------


def one_by_one(columns):
    return np.add.accumulate(columns, axis=0, dtype=columns.dtype)[-1]


def pairwise(columns):
    """np.sum of contiguous memory."""
    return np.ascontiguousarray(columns.T).sum(axis=1, dtype=columns.dtype)


def in_blocks(columns):
    """Axis after axis, as of an array of more dimensions."""
    part = [one_by_one(columns[start:start + 49]) for start in range(0, len(columns), 49)]
    return one_by_one(np.stack(part))


SUMS = {"pairwise": pairwise, "one by one": one_by_one, "in blocks": in_blocks,
        "backwards": lambda columns: one_by_one(columns[::-1]),
        "sorted": lambda columns: one_by_one(np.sort(columns, axis=0)),
        "by size": lambda columns: one_by_one(np.take_along_axis(columns, np.argsort(abs(columns), axis=0), 0)),
        "in float64": lambda columns: columns.sum(axis=0, dtype="float64").astype(columns.dtype)}


def two_pass(columns, add):
    mean = add(columns) / columns.dtype.type(len(columns))
    return mean, add((columns - mean) ** 2) / columns.dtype.type(len(columns))


def welford(columns, _):
    number = columns.dtype.type
    mean, spread = np.zeros_like(columns[0]), np.zeros_like(columns[0])
    for i, row in enumerate(columns):
        off = row - mean
        mean = mean + off / number(i + 1)
        spread = spread + off * (row - mean)
    return mean, spread / number(len(columns))


VARIANCES = {"two passes": two_pass, "Welford": welford}


# ---- Ways to write the same formula --------------------------------------------------------------


def divided(x, mean, var, eps, gamma, beta):
    return gamma * ((x - mean) / np.sqrt(var + eps)) + beta


def by_inv_std(x, mean, var, eps, gamma, beta):
    return (x - mean) * (1 / np.sqrt(var + eps)) * gamma + beta


def scale_and_shift(x, mean, var, eps, gamma, beta):
    scale = gamma / np.sqrt(var + eps)
    return x * scale + (beta - mean * scale)


FORMS = {"divided": divided, "by inv_std": by_inv_std, "scale and shift": scale_and_shift}


def gradients_by_x_hat(x, dy, mean, var, eps, gamma, add):
    m, inv_std = x.dtype.type(len(x)), 1 / np.sqrt(var + eps)
    x_hat = (x - mean) * inv_std
    dbeta, dgamma = add(dy), add(dy * x_hat)
    return gamma * inv_std / m * (m * dy - dbeta - x_hat * dgamma), dgamma, dbeta


def gradients_by_sums_of_products(x, dy, mean, var, eps, gamma, add):
    """dgamma from sum dy (x - mean); dx as a dy + b x + c."""
    m, inv_std = x.dtype.type(len(x)), 1 / np.sqrt(var + eps)
    dbeta, dgamma = add(dy), add(dy * (x - mean)) * inv_std
    b = -gamma * inv_std * inv_std * dgamma / m
    return gamma * inv_std * dy + b * (x - mean) - gamma * inv_std * dbeta / m, dgamma, dbeta


GRADIENTS = {"by x_hat": gradients_by_x_hat, "by sums of products": gradients_by_sums_of_products}


LAYOUTS = (((64, 5), 1), ((8, 6, 7, 7), 1), ((8, 7, 7, 6), -1), ((4, 3, 2, 3, 2), 1))


class VerifyTest(BnTest):
    def assert_passes(self, state, x, dy, claims, dtype, what):
        self.save("x.npy", x)
        self.save("dy.npy", dy)
        self.state("before.json", **state)
        after = {k: claims[k].tolist() for k in ("running_mean", "running_var") if k in claims}
        command = ["verify", "x.npy", "--state", "before.json", "--dy", "dy.npy", "--json"]
        if after:
            self.state("after.json", **after, num_batches_tracked=state["num_batches_tracked"] + 1)
            command += ["--state-after", "after.json", "--after-dtype", dtype]
        for quantity in ("y", "dx", "dgamma", "dbeta"):
            self.save(quantity + ".npy", claims[quantity])
            command += ["--" + quantity, quantity + ".npy"]
        run = self.bn(*command)
        self.assertIn(run.returncode, (DONE, DIFFERS), (what, run.stderr))
        report = json.loads(run.stdout)
        wrong = {c["claim"]: (c["tolerance"], c["needed_tolerance"]) for c in report["claims"] if not c["holds"]}
        self.assertEqual(wrong, {}, what)
        self.assertEqual(run.returncode, DONE)
        self.assertEqual([c["diagnosis"] for c in report["claims"]], [None] * len(report["claims"]))


class NumpyTest(VerifyTest):
    def claims_of(self, layer, dtype, add, variance, form, gradients):
        """{quantity: claimed array}, all computed in this dtype; float16 is computed in float32."""
        number = np.dtype("float32" if dtype == "float16" else dtype).type
        columns, up = (np.moveaxis(a, layer.axis, -1).reshape(-1, len(layer.gamma)).astype(number)
                       for a in (layer.x, layer.dy))
        gamma, beta, old_mean, old_var = (a.astype(number) for a in (
            layer.gamma, layer.beta, layer.running_mean, layer.running_var))
        eps, keep = number(layer.eps), number(layer.momentum)
        mean, var = VARIANCES[variance](columns, SUMS[add])
        dx, dgamma, dbeta = GRADIENTS[gradients](columns, up, mean, var, eps, gamma, SUMS[add])
        estimate = var * (number(layer.m) / number(layer.m - 1)) if layer.unbiased else var
        shape = [n for i, n in enumerate(layer.x.shape) if i != layer.axis] + [len(gamma)]
        whole = {"y": FORMS[form](columns, mean, var, eps, gamma, beta), "dx": dx}
        claims = {k: np.moveaxis(v.reshape(shape), -1, layer.axis) for k, v in whole.items()}
        claims.update(dgamma=dgamma, dbeta=dbeta, running_mean=keep * old_mean + (1 - keep) * mean,
                      running_var=keep * old_var + (1 - keep) * estimate)
        return {k: np.ascontiguousarray(v.astype(dtype)) for k, v in claims.items()}

    def check(self, layer, dtype, add, variance, form, gradients):
        what = (layer.x.shape, dtype, add, variance, form, gradients)
        with self.subTest(what=what):
            x_dtype = "float64" if dtype == "float64" else "float32"
            claims = self.claims_of(layer, dtype, add, variance, form, gradients)
            self.assert_passes(layer.state(), layer.x.astype(x_dtype), layer.dy.astype(x_dtype), claims, dtype, what)

    def check_all(self, dtypes=("float16", "float32", "float64"), **options):
        """Every sum with every dtype; the other ways by turns."""
        layouts = itertools.cycle(LAYOUTS)
        others = itertools.cycle(itertools.product(VARIANCES, FORMS, GRADIENTS))
        for dtype, add in itertools.product(dtypes, SUMS):
            shape, axis = next(layouts)
            layer = mistakes.some_layer(self.random, shape, axis, "float64" if dtype == "float64" else "float32",
                                        unbiased=self.random.random() < 0.5, **options)
            self.check(layer, dtype, add, *next(others))

    def test_numpy_code_passes_however_it_adds_up(self):
        self.check_all()

    def test_numpy_code_passes_with_means_a_thousand_times_the_deviations(self):
        self.check_all(offset=(900, 1100))

    def test_numpy_code_passes_with_a_small_eps_and_small_variances(self):
        self.check_all(dtypes=("float32", "float64"), eps=1e-5, smallest=1e-6, largest=1e-2)

    def test_a_million_values_in_a_channel_pass_in_every_order(self):
        layer = mistakes.some_layer(self.random, (1_000_000, 2), 1, "float32")
        for add, form, gradients in (("pairwise", "divided", "by x_hat"),
                                     ("one by one", "scale and shift", "by sums of products"),
                                     ("sorted", "by inv_std", "by x_hat")):
            self.check(layer, "float32", add, "two passes", form, gradients)

    def test_a_million_values_in_a_channel_pass_with_means_a_thousand_times_the_deviations(self):
        layer = mistakes.some_layer(self.random, (1_000_000, 2), 1, "float32", offset=(900, 1100))
        for add, form in (("pairwise", "divided"), ("in float64", "scale and shift")):
            self.check(layer, "float32", add, "two passes", form, "by x_hat")

    def test_test_mode_passes_in_every_form(self):
        for dtype, form in itertools.product(("float16", "float32", "float64"), FORMS):
            with self.subTest(dtype=dtype, form=form):
                number = np.dtype("float32" if dtype == "float16" else dtype).type
                layer = mistakes.some_layer(self.random, (8, 7, 7, 6), -1, "float32", train=False, offset=(0.5, 300))
                x, dy, gamma, beta, mean, var = (getattr(layer, k).astype(number) for k in (
                    "x", "dy", "gamma", "beta", "running_mean", "running_var"))
                inv_std = 1 / np.sqrt(var + number(layer.eps))
                claims = {"y": FORMS[form](x, mean, var, number(layer.eps), gamma, beta), "dx": gamma * inv_std * dy,
                          "dgamma": (dy * ((x - mean) * inv_std)).sum(axis=layer.axes),
                          "dbeta": dy.sum(axis=layer.axes)}
                self.assert_passes(layer.state(-1), layer.x.astype("float32"), layer.dy.astype("float32"),
                                   {k: v.astype(dtype) for k, v in claims.items()}, dtype, (dtype, form))


class PyTorchTest(VerifyTest):
    def test_every_golden_passes(self):
        root = os.path.join(GOLDENS, "torch")
        for name, mode in itertools.product(sorted(os.listdir(root)), ("train", "test")):
            folder = os.path.join(root, name)
            if os.path.isdir(folder):
                with self.subTest(golden=name, mode=mode):
                    golden = {f[:-4]: np.load(os.path.join(folder, f)) for f in os.listdir(folder)}
                    state = {k: golden[k].astype(float).tolist() for k in (
                        "gamma", "beta", "running_mean", "running_var")}
                    claims = {q: golden["%s_%s" % (q, mode)] for q in ("y", "dx", "dgamma", "dbeta")}
                    self.assert_passes({"mode": mode, **state}, golden["x"], golden["dy"], claims,
                                       golden["x"].dtype.name, (name, mode))

    def test_the_running_statistics_of_every_step_pass(self):
        with open(os.path.join(GOLDENS, "torch", "steps.json")) as file:
            record = json.load(file)
        momentum = {"momentum 0.1": 0.1, "momentum None": None}
        for key, steps in record.items():
            if not key.startswith("momentum"):
                continue
            batches = record["batches_nchw" if "nchw" in key else "batches"]
            old = [[0.0] * 3, [1.0] * 3]
            for i, (batch, new) in enumerate(zip(batches, steps)):
                with self.subTest(steps=key, step=i):
                    self.save("x.npy", np.array(batch))
                    self.state("before.json", mode="train", momentum=momentum[key.split(",")[0]],
                               momentum_weights="batch", num_batches_tracked=i, running_mean=old[0],
                               running_var=old[1],
                               running_var_estimator="biased" if "biased" in key else "unbiased")
                    self.state("after.json", running_mean=new[0], running_var=new[1], num_batches_tracked=i + 1)
                    self.ok("verify", "x.npy", "--state", "before.json", "--state-after", "after.json",
                            "--after-dtype", "float64")
                    old = new


if __name__ == "__main__":
    main()
