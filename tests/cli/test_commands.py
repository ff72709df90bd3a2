"""What each command and each flag does, on the real program."""

import json
import os
import stat

import numpy as np

import oracle
from harness import BAD_INPUT, BnTest, DONE, USAGE, loaded, main, saved

STATE = {"mode": "train", "axis": 1, "eps": 1e-5, "momentum": 0.9, "momentum_weights": "running",
         "running_var_estimator": "biased", "gamma": [1.5, 0.5, -1.0], "beta": [0.0, 1.0, 2.0],
         "running_mean": [0.25, 0.5, 1.0], "running_var": [1.0, 2.0, 0.5], "num_batches_tracked": 4}


class CommandTest(BnTest):
    def setUp(self):
        super().setUp()
        self.x = self.random.normal(1, 2, (5, 3, 4))
        self.dy = self.random.normal(0, 1, (5, 3, 4))
        self.save("x.npy", self.x)
        self.save("dy.npy", self.dy)
        self.state(**STATE)

    def forward(self, *arguments, **more):
        """y, without an update of the state."""
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", *arguments, **more)
        return self.load("y.npy")

    def backward(self, *arguments, **more):
        self.ok("backward", "dy.npy", "--x", "x.npy", "--dx", "dx.npy", "--dgamma", "dgamma.npy",
                "--dbeta", "dbeta.npy", *arguments, **more)
        return [self.read(n) for n in ("dx.npy", "dgamma.npy", "dbeta.npy")]

    def assert_y(self, y, bound=4, x=None, axis=1, eps=1e-5, mode="train"):
        running = (STATE["running_mean"], STATE["running_var"]) if mode == "test" else ()
        terms = oracle.forward(self.x if x is None else x, axis, STATE["gamma"], STATE["beta"], eps, *running)
        self.assertLessEqual(terms.worst(y), bound)


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

    def test_init_writes_a_state_that_forward_takes(self):
        self.silent("init", "--channels", 3, "-o", "new.json")
        self.silent("forward", "x.npy", "--state", "new.json", "-o", "y.npy")
        self.assertEqual(self.json("new.json")["num_batches_tracked"], 1)


class ForwardTest(CommandTest):
    def test_train_updates_the_state_in_place(self):
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        self.assert_y(self.load("y.npy"))
        batch = oracle.Statistics(self.x, 1)
        after = self.json("state.json")
        self.assertEqual(after, dict(
            STATE, num_batches_tracked=5,
            running_mean=oracle.updated(STATE["running_mean"], batch.rounded("mean"), 0.9, "running", 5),
            running_var=oracle.updated(STATE["running_var"], batch.rounded("var"), 0.9, "running", 5)))

    def test_test_mode_uses_the_running_statistics_and_leaves_the_state_alone(self):
        before = self.snapshot()
        self.silent("forward", "x.npy", "--state", "state.json", "--mode", "test", "-o", "y.npy")
        self.assert_y(self.load("y.npy"), mode="test")
        after = self.snapshot()
        del after[b"y.npy"]
        self.assertEqual(after, before)

    def test_the_mode_comes_from_the_state_and_the_flag_overrides_it(self):
        self.state(**dict(STATE, mode="test"))
        before = self.read("state.json")
        self.assert_y(self.forward(), mode="test")
        self.assert_y(self.forward("--mode", "train"), mode="train")
        self.assertEqual(self.read("state.json"), before)

    def test_a_state_without_a_mode_needs_the_flag(self):
        self.state(**{k: v for k, v in STATE.items() if k != "mode"})
        self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", "y.npy",
                   mentions=["state.json", "mode", "--mode"])
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "train")
        self.assertNotIn("mode", self.json("state.json"))

    def test_flags_override_the_state_for_this_run_and_are_not_written(self):
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--eps", "0.5",
                    "--momentum", "0.5", "--axis", "-2", "--mode", "train")
        self.assert_y(self.load("y.npy"), eps=0.5)
        after = self.json("state.json")
        self.assertEqual({k: after[k] for k in ("eps", "momentum", "axis", "mode")},
                         {k: STATE[k] for k in ("eps", "momentum", "axis", "mode")})
        mean = oracle.Statistics(self.x, 1).rounded("mean")
        self.assertEqual(after["running_mean"], oracle.updated(STATE["running_mean"], mean, 0.5, "running", 5))

    def test_the_momentum_flag_takes_null_for_the_cumulative_average(self):
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--momentum", "null")
        mean = oracle.Statistics(self.x, 1).rounded("mean")
        after = self.json("state.json")
        self.assertEqual(after["running_mean"], oracle.updated(STATE["running_mean"], mean, None, "", 5))
        self.assertEqual(after["momentum"], 0.9)

    def test_momentum_1_keeps_the_running_statistics_and_0_forgets_them(self):
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--momentum", "1")
        self.assertEqual(self.json("state.json")["running_mean"], STATE["running_mean"])
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--momentum", "0", "--quiet")
        self.assertEqual(self.json("state.json")["running_mean"], oracle.Statistics(self.x, 1).rounded("mean"))

    def test_the_axis_flag_moves_the_channels(self):
        self.save("x.npy", np.moveaxis(self.x, 1, 2))
        for axis in ("2", "-1"):
            self.assert_y(np.moveaxis(self.forward("--axis", axis), 2, 1))

    def test_dtype_names_the_output(self):
        for name, bound in (("float16", 0.5001), ("float32", 0.5001), ("float64", 4)):
            y = self.forward("--dtype", name)
            self.assertEqual(y.dtype, np.dtype(name))
            self.assert_y(y, bound)

    def test_state_out_takes_the_update_and_leaves_the_state_as_it_was(self):
        before = self.snapshot()
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json")
        after = self.snapshot()
        self.assertEqual({k: after[k] for k in before}, before)
        new = self.read("new.json")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        self.assertEqual(self.read("state.json"), new)

    def test_state_out_replaces_an_existing_file(self):
        self.write("new.json", "anything")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json")
        self.assertEqual(self.json("new.json")["num_batches_tracked"], 5)

    def test_no_update_writes_no_state(self):
        before = self.snapshot()[b"state.json"]
        self.assert_y(self.forward())
        self.assertEqual(self.snapshot()[b"state.json"], before)

    def test_state_out_and_no_update_contradict_each_other(self):
        self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out",
                   "new.json", "--no-update", mentions="--no-update")

    def test_the_update_keeps_the_order_of_keys_and_everything_else(self):
        self.write("state.json", """{"num_batches_tracked": 7, "metadata": {"b": [1, {"z": null}], "a": "\\u00e9"},
            "beta": [0.1, 1e-320, -0.0], "mode": "train", "eps": 1e-5}""")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        pairs = json.loads(self.read("state.json"), object_pairs_hook=lambda p: p)
        keys = [key for key, _ in pairs]
        self.assertEqual(keys[:5], ["num_batches_tracked", "metadata", "beta", "mode", "eps"])
        self.assertEqual(set(keys[5:]), {"running_mean", "running_var"})
        after = self.json("state.json")
        self.assertEqual(after["metadata"], {"b": [1, {"z": None}], "a": "\u00e9"})
        self.assertEqual(list(after["metadata"]), ["b", "a"])
        self.assertEqual([v.hex() for v in after["beta"]], [(0.1).hex(), (1e-320).hex(), (-0.0).hex()])
        self.assertEqual(after["num_batches_tracked"], 8)

    def test_absent_keys_have_their_defaults(self):
        self.state(mode="train")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        terms = oracle.forward(self.x, 1, [1.0] * 3, [0.0] * 3, 1e-5)
        self.assertLessEqual(terms.worst(self.load("y.npy")), 4)
        batch, after = oracle.Statistics(self.x, 1), self.json("state.json")
        self.assertEqual(after["running_mean"],
                         oracle.updated([0.0] * 3, batch.rounded("mean"), 0.9, "running", 1))
        self.assertEqual(after["running_var"],
                         oracle.updated([0.0] * 3, batch.rounded("var"), 0.9, "running", 1))
        self.assertEqual(after["num_batches_tracked"], 1)

    def test_gamma_may_be_the_path_of_an_array_relative_to_the_state(self):
        os.mkdir(self.path("model"))
        self.save("model/gamma.npy", np.array(STATE["gamma"]))
        self.save("model/beta.npy", np.array(STATE["beta"]))
        self.write("model/state.json", json.dumps(
            dict(STATE, gamma="gamma.npy", beta="beta.npy", mode="test")))
        self.silent("forward", "x.npy", "--state", "model/state.json", "-o", "y.npy")
        self.assert_y(self.load("y.npy"), mode="test")

    def test_an_update_keeps_gamma_a_path_and_does_not_touch_its_file(self):
        self.save("gamma.npy", np.array(STATE["gamma"]))
        self.state(**dict(STATE, gamma="gamma.npy"))
        before = self.snapshot()[b"gamma.npy"]
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        self.assertEqual(self.json("state.json")["gamma"], "gamma.npy")
        self.assertEqual(self.snapshot()[b"gamma.npy"], before)

    def test_outputs_have_the_bytes_of_numpy_save(self):
        for dtype in ("<f2", "<f4", "<f8", ">f4", "<i2", "|u1"):
            for order in "CF":
                for shape in ((5, 3), (5, 3, 4), (5, 3, 1), (1, 3, 8), (2, 3, 2, 2, 2)):
                    with self.subTest(dtype=dtype, order=order, shape=shape):
                        x = np.asarray(self.random.normal(5, 3, shape), order=order).astype(dtype, order=order)
                        self.save("x.npy", x)
                        y = self.forward("--quiet")
                        self.assertEqual(self.read("y.npy"), saved(y))
                        out = x.dtype.newbyteorder("<") if x.dtype.kind == "f" else np.dtype("<f8")
                        self.assertEqual(y.dtype, out)
                        self.assertEqual((y.flags.c_contiguous, y.flags.f_contiguous),
                                         (x.flags.c_contiguous, x.flags.f_contiguous))

    def test_a_header_that_calls_a_single_column_fortran_ordered_gives_numpys_bytes(self):
        header = "{'descr': '<f8', 'fortran_order': True, 'shape': (8, 1), }\n"
        from harness import npy
        self.write("x.npy", npy(header, np.arange(8.0).tobytes()))
        self.state(mode="train")
        y = self.forward()
        self.assertEqual(self.read("y.npy"), saved(y))

    def test_existing_outputs_are_replaced(self):
        self.write("y.npy", "something else")
        self.assert_y(self.forward())

    def test_verbose_reports_what_was_done_on_stderr_and_changes_nothing_else(self):
        quiet = saved(self.forward())
        run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", "--verbose")
        self.assertEqual(run.stdout, b"")
        for what in ("(5, 3, 4)", "train", "1e-05"):
            self.assertIn(what, run.stderr)
        self.assertEqual(self.read("y.npy"), quiet)

    def test_test_mode_without_running_statistics_says_how_to_get_them(self):
        self.state(mode="test")
        message = self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy",
                             mentions=["state.json", "running_mean"])
        self.assertTrue("train" in message or "calibrate" in message, message)


class PipesTest(CommandTest):
    def test_x_comes_from_standard_input_and_y_goes_to_standard_output(self):
        for mode in ("train", "test"):
            y = saved(self.forward("--mode", mode))
            run = self.silent("forward", "-", "--state", "state.json", "--mode", mode, "--no-update", "-o", "-",
                              stdin=self.read("x.npy"))
            self.assertEqual(run.stdout, y)

    def test_train_mode_through_pipes_updates_the_state(self):
        run = self.silent("forward", "-", "--state", "state.json", "-o", "-", stdin=self.read("x.npy"))
        self.assert_y(loaded(run.stdout))
        self.assertEqual(self.json("state.json")["num_batches_tracked"], 5)

    def test_a_pipeline_of_forward_into_another_program_and_back(self):
        """train | NumPy's ReLU | test mode: what the same steps through files give."""
        relu = ("import sys, io, numpy as np; x = np.load(io.BytesIO(sys.stdin.buffer.read())); "
                "b = io.BytesIO(); np.save(b, np.maximum(x, 0)); sys.stdout.buffer.write(b.getvalue())")
        script = ('set -o pipefail; "$BN" forward - --state state.json --no-update -o - < x.npy | '
                  '/usr/bin/python3 -c "$RELU" | "$BN" forward - --state state.json --mode test -o - > out.npy')
        from harness import BN
        run = self.run_program(["bash", "-c", script], env={"BN": BN, "RELU": relu})
        self.assertEqual((run.returncode, run.stderr), (DONE, ""))
        self.save("x.npy", np.maximum(self.forward(), 0))
        self.assertEqual(self.read("out.npy"), saved(self.forward("--mode", "test")))

    def test_backward_reads_dy_or_x_from_standard_input(self):
        want = self.backward("--state", "state.json")
        for mode in ("train", "test"):
            self.backward("--state", "state.json", "--mode", mode)
            want = self.read("dx.npy")
            run = self.silent("backward", "-", "--x", "x.npy", "--state", "state.json", "--dx", "-", "--mode",
                              mode, stdin=self.read("dy.npy"))
            self.assertEqual(run.stdout, want)
            run = self.silent("backward", "dy.npy", "--x", "-", "--state", "state.json", "--dx", "-", "--mode",
                              mode, stdin=self.read("x.npy"))
            self.assertEqual(run.stdout, want)

    def test_every_output_of_backward_may_be_standard_output(self):
        files = self.backward("--state", "state.json")
        for flag, want in zip(("--dx", "--dgamma", "--dbeta"), files):
            run = self.silent("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", flag, "-")
            self.assertEqual(run.stdout, want)

    def test_two_outputs_on_standard_output_are_refused(self):
        self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "-",
                   "--dgamma", "-", mentions="standard output")


class BackwardTest(CommandTest):
    def cache(self, *arguments):
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", "--cache",
                "cache.json", *arguments)

    def test_backward_with_the_cache_equals_backward_with_the_state(self):
        for mode in ("train", "test"):
            for x in (self.x, self.x.astype("float32"), np.asfortranarray(self.x), self.x * 1e-3 + 1e8):
                self.save("x.npy", x)
                self.cache("--mode", mode)
                self.assertEqual(self.backward("--cache", "cache.json"),
                                 self.backward("--state", "state.json", "--mode", mode))

    def test_the_cache_holds_the_flags_of_the_forward_pass(self):
        self.cache("--mode", "train", "--eps", "0.25", "--axis", "-2")
        cached = self.backward("--cache", "cache.json")
        self.state(**dict(STATE, eps=0.25))
        self.assertEqual(cached, self.backward("--state", "state.json"))

    def test_the_cache_spells_what_the_forward_pass_used(self):
        self.cache("--eps", "0.25")
        cache, batch = self.json("cache.json"), oracle.Statistics(self.x, 1)
        for key, value in {"mode": "train", "axis": 1, "shape": [5, 3, 4], "dtype": "float64", "eps": 0.25,
                           "gamma": STATE["gamma"], "mean": batch.rounded("mean"),
                           "var": batch.rounded("var")}.items():
            self.assertEqual(cache[key], value, key)

    def test_the_cache_of_a_test_mode_pass_holds_the_running_statistics(self):
        self.cache("--mode", "test")
        cache = self.json("cache.json")
        self.assertEqual((cache["mode"], cache["mean"], cache["var"]),
                         ("test", STATE["running_mean"], STATE["running_var"]))

    def test_the_state_may_change_between_forward_and_backward_with_a_cache(self):
        want = self.backward("--state", "state.json")
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json")
        os.unlink(self.path("state.json"))
        self.assertEqual(self.backward("--cache", "cache.json"), want)

    def test_an_x_that_is_not_the_one_of_the_forward_pass_is_refused(self):
        swapped = self.x.copy()
        swapped[0], swapped[1] = self.x[1], self.x[0]
        one_bit = self.x.copy()
        one_bit[4, 2, 3] = np.nextafter(one_bit[4, 2, 3], 9)
        for mode in ("train", "test"):
            for what, x in (("rows swapped", swapped), ("one bit", one_bit), ("dtype", self.x.astype("float32")),
                            ("shape", self.x[:, :, :3]), ("zeros", 0 * self.x)):
                with self.subTest(what=what, mode=mode):
                    self.save("x.npy", self.x)
                    self.cache("--mode", mode)
                    self.save("x.npy", x)
                    if what == "shape":
                        self.save("dy.npy", self.dy[:, :, :3])
                    self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--cache", "cache.json",
                               "--dx", "new.npy", mentions=["x.npy", "cache.json"])
                    self.save("dy.npy", self.dy)

    def test_backward_writes_just_what_it_is_asked_for(self):
        for flag in ("--dx", "--dgamma", "--dbeta"):
            before = set(self.snapshot())
            self.silent("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", flag, "only.npy")
            self.assertEqual(set(self.snapshot()) - before, {b"only.npy"})
            os.unlink(self.path("only.npy"))

    def test_backward_leaves_the_state_alone(self):
        before = self.snapshot()[b"state.json"]
        self.backward("--state", "state.json")
        self.assertEqual(self.snapshot()[b"state.json"], before)

    def test_the_gradients_have_the_shapes_of_dy_and_of_the_channels(self):
        self.backward("--state", "state.json")
        self.assertEqual([self.load(n).shape for n in ("dx.npy", "dgamma.npy", "dbeta.npy")],
                         [(5, 3, 4), (3,), (3,)])

    def test_outputs_have_the_bytes_of_numpy_save(self):
        for dy in (self.dy, self.dy.astype(">f4"), np.asfortranarray(self.dy), self.dy.astype("float16")):
            self.save("dy.npy", dy)
            self.backward("--state", "state.json")
            for name in ("dx.npy", "dgamma.npy", "dbeta.npy"):
                self.assertEqual(self.read(name), saved(self.load(name)))

    def test_x_and_dy_in_different_memory_orders_give_the_same_gradients(self):
        want = oracle.backward(self.x, self.dy, 1, STATE["gamma"], 1e-5)
        self.backward("--state", "state.json")
        dx, dgamma, dbeta = (self.load(n) for n in ("dx.npy", "dgamma.npy", "dbeta.npy"))
        self.assertLessEqual(want.dx.worst(dx), 4)
        for x_order, dy_order in ("CF", "FC", "FF"):
            for source in ("--state", "--cache"):
                with self.subTest(x=x_order, dy=dy_order, source=source):
                    self.save("x.npy", np.asarray(self.x, order=x_order))
                    self.save("dy.npy", np.asarray(self.dy, order=dy_order))
                    self.cache()
                    self.backward(source, "state.json" if source == "--state" else "cache.json")
                    self.assertEqual(self.load("dx.npy").tobytes(), dx.tobytes())
                    self.assertEqual(self.load("dgamma.npy").tobytes(), dgamma.tobytes())
                    self.assertEqual(self.load("dbeta.npy").tobytes(), dbeta.tobytes())

    def test_dx_has_the_memory_order_of_dy_whatever_that_of_x(self):
        for x_order in "CF":
            for dy_order in "CF":
                self.save("x.npy", np.asarray(self.x, order=x_order))
                self.save("dy.npy", np.asarray(self.dy, order=dy_order))
                self.backward("--state", "state.json")
                self.assertEqual(self.load("dx.npy").flags.f_contiguous, dy_order == "F", x_order)

    def test_backward_needs_a_cache_or_a_state_but_not_both(self):
        self.cache()
        self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--dx", "n.npy", mentions=["--cache", "--state"])
        self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--dx", "n.npy", "--state", "state.json",
                   "--cache", "cache.json", mentions=["--cache", "--state"])

    def test_backward_needs_at_least_one_output(self):
        self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json",
                   mentions=["--dx", "--dgamma", "--dbeta"])

    def test_a_mode_or_an_axis_beside_a_cache_is_refused(self):
        self.cache()
        for flag, value in (("--mode", "train"), ("--axis", "1")):
            self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--dx", "n.npy", "--cache", "cache.json",
                       flag, value, mentions=[flag, "cache"])

    def test_a_damaged_cache_is_refused(self):
        self.cache()
        good = self.read("cache.json")
        for bad in (b"", good[:-3], good + b"{}", good.replace(b'"var"', b'"vra"'),
                    good.replace(b'"eps"', b'"esp"')):
            self.write("cache.json", bad)
            self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--cache", "cache.json", "--dx", "n.npy",
                       mentions="cache.json")


class HelpTest(CommandTest):
    COMMANDS = ["init", "forward", "backward", "stats", "calibrate"]

    def test_help_names_every_command_and_the_exit_codes(self):
        text = self.silent("--help").stdout.decode()
        for command in self.COMMANDS:
            self.assertIn(command, text)
        self.assertIn("70", text)

    def test_the_help_of_each_command_shows_two_examples_defaults_and_the_exit_codes(self):
        for command in self.COMMANDS:
            with self.subTest(command=command):
                text = self.silent(command, "--help").stdout.decode()
                self.assertGreaterEqual(text.count("  bn " + command), 2)
                self.assertIn("70", text)
        self.assertIn("cs231n", self.silent("init", "--help").stdout.decode())
        self.assertIn("60", self.silent("forward", "--help").stdout.decode())

    def test_version_prints_one_line(self):
        self.assertRegex(self.silent("--version").stdout.decode(), r"\Abn \d+\.\d+\.\d+\n\Z")

    def test_no_command_at_all_is_a_usage_error(self):
        self.fails(USAGE, mentions="--help")


class WarningsTest(CommandTest):
    """Legal but probably wrong: one line each, silenced by --quiet, and the work is done."""

    def check_warning(self, mentions, state):
        self.state(**state)
        arguments = ("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        run = self.ok(*arguments)
        self.assertEqual(len(run.lines()), 1, run.stderr)
        for mention in mentions:
            self.assertIn(mention, run.stderr)
        self.assertEqual(self.ok(*arguments, "--quiet").stderr, "")

    def test_a_pytorch_momentum_with_the_other_convention_is_questioned(self):
        self.check_warning(["momentum"], dict(STATE, momentum=0.1))

    def test_test_mode_with_statistics_that_were_never_updated_is_questioned(self):
        for var in (0.0, 1.0):
            self.check_warning(["state.json"], dict(STATE, mode="test", num_batches_tracked=0,
                                                    running_mean=[0.0] * 3, running_var=[var] * 3))

    def test_a_running_variance_that_vanishes_beside_eps_is_questioned(self):
        self.check_warning(["running_var", "eps"], dict(STATE, mode="test", running_var=[1.0, 1e-20, 1.0]))

    def test_fewer_than_8_values_a_channel_in_train_mode_are_questioned(self):
        self.save("x.npy", self.x[:7, :, 0][:5])
        self.check_warning(["5"], STATE)

    def test_ordinary_runs_are_silent(self):
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
        self.silent("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy")

    def test_eight_values_a_channel_are_enough(self):
        self.save("x.npy", self.random.normal(0, 1, (8, 3)))
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")


class SmallBatchesTest(CommandTest):
    def test_an_empty_batch_gives_an_empty_y_a_warning_and_leaves_the_state(self):
        for shape in ((0, 3), (0, 3, 4), (5, 3, 0)):
            with self.subTest(shape=shape):
                self.save("x.npy", np.zeros(shape, "float32"))
                before = self.snapshot()
                run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "train")
                self.assertEqual(len(run.lines()), 1, run.stderr)
                self.assertIn("x.npy", run.stderr)
                after = self.snapshot()
                self.assertEqual(after.pop(b"y.npy")[0], before[b"x.npy"][0])
                before.pop(b"y.npy", None)
                self.assertEqual(after, before)
                self.assertEqual(self.read("y.npy"), self.read("x.npy"))
                self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
                self.assertEqual(self.read("y.npy"), self.read("x.npy"))

    def test_an_empty_batch_has_zero_gradients(self):
        self.save("x.npy", np.zeros((0, 3)))
        self.save("dy.npy", np.zeros((0, 3)))
        for mode in ("train", "test"):
            self.backward("--state", "state.json", "--mode", mode)
            self.assertEqual(self.load("dx.npy").shape, (0, 3))
            self.assertEqual(self.load("dgamma.npy").tolist(), [0, 0, 0])
            self.assertEqual(self.load("dbeta.npy").tolist(), [0, 0, 0])

    def test_one_value_a_channel_cannot_be_trained_on_but_can_be_normalised_in_test_mode(self):
        self.save("x.npy", self.x[:1, :, 0])
        message = self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy",
                             mentions="x.npy")
        self.assertIn("test", message)
        self.assert_y(self.forward("--mode", "test"), x=self.x[:1, :, 0], mode="test")
        self.save("dy.npy", self.dy[:1, :, 0])
        self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "n.npy",
                   mentions="x.npy")
        self.backward("--state", "state.json", "--mode", "test")

    def test_no_channels_give_empty_outputs_and_leave_the_state(self):
        self.save("x.npy", np.zeros((5, 0, 4)))
        self.save("dy.npy", np.zeros((5, 0, 4)))
        for keys in ({}, {"gamma": [], "beta": [], "running_mean": [], "running_var": []}):
            for mode in ("train", "test"):
                if mode == "test" and not keys:
                    continue
                with self.subTest(keys=keys, mode=mode):
                    self.state(mode=mode, **keys)
                    before = self.snapshot()[b"state.json"]
                    self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
                    self.assertEqual(self.read("y.npy"), self.read("x.npy"))
                    self.assertEqual(self.snapshot()[b"state.json"], before)
                    self.backward("--state", "state.json")
                    self.assertEqual(self.load("dgamma.npy").shape, (0,))

    def test_a_float16_overflow_is_infinity_and_one_warning_with_the_count(self):
        x = np.array([[100.0], [-100.0], [100.0], [-100.0]] * 3)
        self.save("x.npy", x)
        self.state(mode="train", gamma=[1e5])
        run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--dtype", "float16")
        self.assertEqual(len(run.lines()), 1, run.stderr)
        for what in ("12 ", " y ", "float16"):
            self.assertIn(what, run.stderr)
        self.assertEqual(self.load("y.npy").tolist(), [[np.inf], [-np.inf], [np.inf], [-np.inf]] * 3)


class ModeOfNewFilesTest(CommandTest):
    def test_progress_and_fsync_flags_change_no_byte(self):
        plain = saved(self.forward())
        for flags in (["--fsync"], ["--no-progress"], ["--threads", "2"], ["--quiet"]):
            self.assertEqual(saved(self.forward(*flags)), plain)

    def test_a_flag_and_its_value_may_be_one_word(self):
        self.silent("forward", "x.npy", "--state=state.json", "-oy.npy", "--mode=test")
        self.assert_y(self.load("y.npy"), mode="test")

    def test_a_new_state_has_the_mode_that_the_umask_leaves(self):
        self.silent("init", "--channels", 3, "-o", "new.json", before=lambda: os.umask(0o027))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("new.json")).st_mode), 0o640)


if __name__ == "__main__":
    main()
