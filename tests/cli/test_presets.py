"""The running statistics of every preset against its framework's own rule, over three steps."""

import json
import os

import numpy as np

import oracle
from harness import BnTest, GOLDENS, USAGE, main

# preset: eps, momentum, momentum_weights, running_var_estimator, axis, first running_mean and running_var
PRESETS = {
    "cs231n": (1e-5, 0.9, "running", "biased", 1, 0, 0),
    "pytorch": (1e-5, 0.1, "batch", "unbiased", 1, 0, 1),
    "keras": (1e-3, 0.99, "running", "biased", -1, 0, 1),
    "tf-layers": (1e-3, 0.99, "running", "unbiased", -1, 0, 1),
    "flax": (1e-5, 0.99, "running", "biased", -1, 0, 1),
    "onnx": (1e-5, 0.9, "running", "biased", 1, 0, 1),
    "d2l": (1e-5, 0.9, "running", "biased", 1, 0, 1),
}

# How each framework writes the step: (old running mean, old running var, values as (m, C)) -> new ones.
RULES = {
    "cs231n": lambda r, v, x: (0.9 * r + (1 - 0.9) * x.mean(0), 0.9 * v + (1 - 0.9) * x.var(0)),
    "pytorch": lambda r, v, x: ((1 - 0.1) * r + 0.1 * x.mean(0), (1 - 0.1) * v + 0.1 * x.var(0, ddof=1)),
    "keras": lambda r, v, x: (r * 0.99 + x.mean(0) * (1 - 0.99), v * 0.99 + x.var(0) * (1 - 0.99)),
    "tf-layers": lambda r, v, x: (r - (r - x.mean(0)) * (1 - 0.99),
                                  v - (v - x.var(0) * len(x) / (len(x) - 1)) * (1 - 0.99)),
    "flax": lambda r, v, x: (0.99 * r + (1 - 0.99) * x.mean(0),
                             0.99 * v + (1 - 0.99) * ((x * x).mean(0) - x.mean(0) ** 2)),
    "onnx": lambda r, v, x: (r * 0.9 + x.mean(0) * (1 - 0.9), v * 0.9 + x.var(0) * (1 - 0.9)),
    "d2l": lambda r, v, x: (0.9 * r + (1.0 - 0.9) * x.mean(0),
                            0.9 * v + (1.0 - 0.9) * ((x - x.mean(0)) ** 2).mean(0)),
}

KEYS = ["mode", "axis", "eps", "momentum", "momentum_weights", "running_var_estimator", "gamma", "beta",
        "running_mean", "running_var", "num_batches_tracked"]


class PresetsTest(BnTest):
    def init(self, preset, channels=3):
        self.ok("init", "--preset", preset, "--channels", channels, "-o", "state.json", "--force")
        return self.json("state.json")

    def batches(self, axis, shapes=((5, 3, 4), (6, 3, 2), (8, 3, 3))):
        for i, shape in enumerate(shapes):
            yield np.ascontiguousarray(np.moveaxis(self.random.normal(i, 1 + i, shape), 1, axis))

    def test_init_spells_every_key_of_every_preset(self):
        for preset, (eps, momentum, weights, estimator, axis, mean, var) in PRESETS.items():
            with self.subTest(preset=preset):
                state = self.init(preset)
                self.assertLessEqual(set(KEYS), set(state))
                self.assertLessEqual(set(state), set(KEYS) | {"metadata"})
                self.assertEqual((state["eps"], state["momentum"], state["momentum_weights"],
                                  state["running_var_estimator"], state["axis"]),
                                 (eps, momentum, weights, estimator, axis))
                self.assertEqual((state["gamma"], state["beta"]), ([1.0] * 3, [0.0] * 3))
                self.assertEqual((state["running_mean"], state["running_var"]), ([mean] * 3, [var] * 3))
                self.assertEqual(state["num_batches_tracked"], 0)

    def test_the_default_preset_is_cs231n(self):
        self.ok("init", "--channels", 3, "-o", "default.json")
        self.init("cs231n")
        self.assertEqual(self.read("default.json"), self.read("state.json"))

    def test_an_unknown_preset_names_the_known_ones(self):
        message = self.fails(USAGE, "init", "--preset", "pytoch", "--channels", 3, "-o", "state.json",
                             mentions="pytoch")
        self.assertIn("pytorch", message)

    def test_three_steps_follow_each_frameworks_rule(self):
        for preset, rule in RULES.items():
            with self.subTest(preset=preset):
                state = self.init(preset)
                mean, var = np.array(state["running_mean"]), np.array(state["running_var"])
                for k, x in enumerate(self.batches(state["axis"]), 1):
                    self.save("x.npy", x)
                    self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "train")
                    columns = oracle.columns(x, state["axis"])
                    largest = np.maximum(abs(columns).max(0), 1)
                    mean, var = rule(mean, var, columns)
                    after = self.json("state.json")
                    self.assertTrue((abs(after["running_mean"] - mean) <= 1e-14 * largest).all())
                    self.assertTrue((abs(after["running_var"] - var) <= 1e-14 * largest ** 2).all())
                    self.assertEqual(after["num_batches_tracked"], k)

    def test_three_steps_have_the_bits_of_the_rule_applied_to_the_exact_statistics(self):
        for preset, (_, momentum, weights, estimator, axis, _, _) in PRESETS.items():
            self.check_bits(preset, momentum, weights, estimator, axis)

    def test_the_cumulative_average_has_the_bits_of_its_rule(self):
        self.check_bits("pytorch", None, "batch", "unbiased", 1)
        self.check_bits("keras", None, "running", "biased", -1)

    def check_bits(self, preset, momentum, weights, estimator, axis):
        with self.subTest(preset=preset, momentum=momentum):
            state = self.init(preset)
            state["momentum"] = momentum
            self.write("state.json", json.dumps(state))
            mean, var = state["running_mean"], state["running_var"]
            for k, x in enumerate(self.batches(axis), 1):
                self.save("x.npy", x)
                self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "train")
                exact = oracle.Statistics(x, axis)
                mean = oracle.updated(mean, exact.rounded("mean"), momentum, weights, k)
                kept = exact.rounded("var" if estimator == "biased" else "var_unbiased")
                var = oracle.updated(var, kept, momentum, weights, k)
                after = self.json("state.json")
                self.assertEqual(after["running_mean"], mean)
                self.assertEqual(after["running_var"], var)

    def test_three_steps_of_pytorch_itself(self):
        with open(os.path.join(GOLDENS, "torch", "steps.json")) as file:
            golden = json.load(file)
        for layer, batches, changes in (
                ("momentum 0.1", "batches", {}),
                ("momentum 0.1, nchw", "batches_nchw", {}),
                ("momentum None", "batches", {"momentum": None}),
                ("momentum None, nchw", "batches_nchw", {"momentum": None}),
                ("momentum 0.1, biased", "batches", {"running_var_estimator": "biased"})):
            with self.subTest(layer=layer):
                self.write("state.json", json.dumps(dict(self.init("pytorch"), **changes)))
                for x, (mean, var) in zip(golden[batches], golden[layer]):
                    self.save("x.npy", np.array(x))
                    self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "train")
                    after = self.json("state.json")
                    scale = np.abs(x).max()
                    self.assertTrue((abs(np.subtract(after["running_mean"], mean)) <= 1e-12 * scale).all())
                    self.assertTrue(
                        (abs(np.subtract(after["running_var"], var)) <= 1e-12 * scale ** 2).all())

    def test_both_modes_of_every_preset_normalise_with_its_eps_and_axis(self):
        for preset, (eps, _, _, _, axis, _, _) in PRESETS.items():
            with self.subTest(preset=preset):
                self.init(preset)
                x = next(self.batches(axis))
                self.save("x.npy", x)
                self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "train")
                self.assert_bits(self.load("y.npy"), oracle.forward(x, axis, [1.0] * 3, [0.0] * 3, eps))
                self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
                state = self.json("state.json")
                want = oracle.forward(x, axis, [1.0] * 3, [0.0] * 3, eps, state["running_mean"],
                                      state["running_var"])
                self.assert_bits(self.load("y.npy"), want)


if __name__ == "__main__":
    main()
