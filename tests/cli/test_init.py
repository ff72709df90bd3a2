"""What bn init and each of its flags do, on the real program."""

import os
import stat

import numpy as np

from commands import CommandTest
from harness import BAD_INPUT, USAGE, main


class InitTest(CommandTest):
    def test_init_fills_every_channel_with_the_numbers_it_is_given(self):
        self.silent("init", "--channels", 2, "--gamma", 1.5, "--beta", -2, "--running-mean", 0.1,
                    "--running-var", 3, "--eps", 1e-3, "--momentum", 0.25, "--axis", -1, "--mode", "test",
                    "-o", "new.json")
        state = self.json("new.json")
        for key, value in {"gamma": [1.5] * 2, "beta": [-2.0] * 2, "running_mean": [0.1] * 2,
                           "running_var": [3.0] * 2, "eps": 1e-3, "momentum": 0.25, "axis": -1,
                           "mode": "test", "num_batches_tracked": 0}.items():
            self.assertEqual(state[key], value, key)

    def test_init_overrides_the_conventions_of_a_preset(self):
        self.ok("init", "--preset", "pytorch", "--momentum-weights", "running", "--running-var-estimator",
                "biased", "--channels", 1, "-o", "new.json")
        state = self.json("new.json")
        self.assertEqual((state["momentum_weights"], state["running_var_estimator"]), ("running", "biased"))

    def test_all_but_variances_may_be_negative_in_files(self):
        self.save("negative.npy", np.array([-1.0, 2.0]))
        for flag in ("--gamma", "--beta", "--running-mean"):
            self.silent("init", flag, "negative.npy", "--force", "-o", "new.json")
            self.assertEqual(self.json("new.json")[flag[2:].replace("-", "_")], [-1.0, 2.0])

    def test_init_takes_null_as_the_cumulative_momentum(self):
        self.silent("init", "--momentum", "null", "--channels", 1, "-o", "new.json")
        self.assertIsNone(self.json("new.json")["momentum"])

    def test_init_puts_arrays_in_and_takes_the_channels_from_them(self):
        values = self.random.normal(0, 1, 4)
        self.save("gamma.npy", values)
        self.save("var.npy", np.array([1, 2, 3, 4], dtype=">i2"))
        self.silent("init", "--gamma", "gamma.npy", "--running-var", "var.npy", "-o", "new.json")
        state = self.json("new.json")
        self.assertEqual(state["gamma"], values.tolist())
        self.assertEqual(state["running_var"], [1.0, 2.0, 3.0, 4.0])
        self.assertEqual(state["beta"], [0.0] * 4)

    def test_init_keeps_the_values_of_a_float32_array_exactly(self):
        values = self.random.normal(0, 1, 5).astype("float32")
        self.save("beta.npy", values)
        self.silent("init", "--beta", "beta.npy", "-o", "new.json")
        self.assertEqual(self.json("new.json")["beta"], values.astype(float).tolist())

    def test_init_refuses_arrays_of_different_lengths(self):
        self.save("gamma.npy", np.ones(4))
        self.save("beta.npy", np.ones(3))
        self.fails(BAD_INPUT, "init", "--gamma", "gamma.npy", "--beta", "beta.npy", "-o", "new.json",
                   mentions=["beta.npy", "3", "4"])

    def test_init_refuses_an_array_that_contradicts_channels(self):
        self.save("gamma.npy", np.ones(4))
        run = self.bn("init", "--gamma", "gamma.npy", "--channels", 3, "-o", "new.json")
        self.assertIn(run.returncode, (USAGE, BAD_INPUT))
        self.assertFalse(self.exists("new.json"))

    def test_init_without_channels_says_how_to_give_them(self):
        self.fails(USAGE, "init", "-o", "new.json", mentions="--channels")

    def test_init_refuses_to_overwrite_without_force(self):
        message = self.fails(USAGE, "init", "--channels", 3, "-o", "state.json", mentions="state.json")
        self.assertIn("--force", message)
        self.silent("init", "--channels", 3, "-o", "state.json", "--force")
        self.assertEqual(self.json("state.json")["gamma"], [1.0] * 3)

    def test_init_refuses_an_array_of_rank_2_or_with_nan(self):
        self.save("two.npy", np.ones((2, 2)))
        self.save("nan.npy", np.array([1.0, np.nan]))
        self.save("negative.npy", np.array([1.0, -1.0]))
        self.fails(BAD_INPUT, "init", "--gamma", "two.npy", "-o", "new.json", mentions="two.npy")
        self.fails(BAD_INPUT, "init", "--gamma", "nan.npy", "-o", "new.json", mentions="nan.npy")
        self.fails(BAD_INPUT, "init", "--running-var", "negative.npy", "-o", "new.json",
                   mentions="negative.npy")

    def test_every_array_goes_to_its_own_key(self):
        flags = ("--gamma", "--beta", "--running-mean", "--running-var")
        values = {flag: self.random.random(3) for flag in flags}
        words = ["init", "-o", "new.json"]
        for flag in flags:
            self.save(flag[2:] + ".npy", values[flag])
            words += [flag, flag[2:] + ".npy"]
        self.silent(*words)
        state = self.json("new.json")
        for flag in flags:
            self.assertEqual(state[flag[2:].replace("-", "_")], values[flag].tolist())

    def test_verbose_says_how_many_channels(self):
        run = self.ok("init", "--channels", 3, "-o", "new.json", "--verbose")
        self.assertEqual(run.lines()[0], "bn: new.json: 3 channels")

    def test_the_help_shows_what_a_preset_sets(self):
        self.assertIn("  tf-layers  eps 0.001  momentum 0.99 running  unbiased  axis -1  running_var 1\n",
                      self.silent("init", "--help").stdout.decode())

    def test_init_writes_a_state_that_forward_takes(self):
        self.silent("init", "--channels", 3, "-o", "new.json")
        self.silent("forward", "x.npy", "--state", "new.json", "-o", "y.npy")
        self.assertEqual(self.json("new.json")["num_batches_tracked"], 1)

    def test_a_new_state_has_the_mode_that_the_umask_leaves(self):
        self.silent("init", "--channels", 3, "-o", "new.json", before=lambda: os.umask(0o027))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new.json")).st_mode), 0o640)


if __name__ == "__main__":
    main()
