"""What bn forward and each of its flags do, on the real program."""

import json
import os

import numpy as np

import oracle
from commands import CommandTest, STATE
from harness import BAD_INPUT, BN, DONE, USAGE, loaded, main, npy, saved


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
        for name in ("float16", "float32", "float64"):
            y = self.forward("--dtype", name)
            self.assertEqual(y.dtype, np.dtype(name))
            self.assert_y(y)

    def test_state_out_takes_the_update_and_leaves_the_state_as_it_was(self):
        before = self.snapshot()
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json")
        after = self.snapshot()
        self.assertEqual({k: after[k] for k in before}, before)
        new = self.read("new.json")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        self.assertEqual(self.read("state.json"), new)

    def test_state_out_in_test_mode_is_refused_whoever_says_the_mode(self):
        for mode, more in (("train", ["--mode", "test"]), ("test", [])):
            self.state(**dict(STATE, mode=mode))
            self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json",
                       *more, mentions="--state-out: test mode updates no state")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json", "--mode", "train")

    def test_an_unbiased_variance_beyond_double_updates_no_state(self):
        # The biased one is 1.69e308, which is none too many.
        self.save("x.npy", np.array([[1.3e154], [-1.3e154]]))
        self.state(mode="train", running_mean=[0.0], running_var=[1.0], running_var_estimator="unbiased")
        for more in ([], ["--state-out", "new.json"]):
            self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy", *more, mentions="bn: x.npy: var")
        self.fails(BAD_INPUT, "calibrate", "x.npy", "--state", "state.json", mentions="bn: all inputs together: var")

    def test_state_out_of_an_empty_batch_is_a_copy_of_the_state(self):
        self.save("x.npy", np.zeros((0, 3)))
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "new.json")
        self.assertEqual(self.json("new.json"), STATE)

    def test_state_out_replaces_an_existing_file(self):
        self.state("new.json", eps=2.0)
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
        self.assert_bits(self.load("y.npy"), oracle.forward(self.x, 1, [1.0] * 3, [0.0] * 3, 1e-5))
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

    def test_verbose_names_the_rule_of_the_running_statistics(self):
        forward = ["forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--verbose"]
        for keys, line in (({}, "mode train, eps 1e-05, momentum 0.9 of the old running value, running_var biased"),
                           ({"momentum_weights": "batch", "running_var_estimator": "unbiased"},
                            "mode train, eps 1e-05, momentum 0.9 of the batch's value, running_var unbiased"),
                           ({"momentum": None}, "mode train, eps 1e-05, momentum null (cumulative average), running_var biased"),
                           ({"mode": "test", "eps": 0.5}, "mode test, eps 0.5")):
            self.state(**dict(STATE, **keys))
            run = self.ok(*forward)
            self.assertEqual(run.lines()[:2], [
                "bn: x.npy: (5, 3, 4) float64, axis 1; view [outer, channel, inner] = [5, 3, 4], 20 values per channel",
                "bn: " + line])
            self.assertTrue(run.lines()[-1].startswith("bn: 480 bytes read, 480 bytes written, "), run.stderr)

    def test_test_mode_without_running_statistics_says_how_to_get_them(self):
        self.state(mode="test")
        message = self.fails(BAD_INPUT, "forward", "x.npy", "--state", "state.json", "-o", "y.npy",
                             mentions=["state.json", "running_mean"])
        self.assertTrue("train" in message or "calibrate" in message, message)

    def test_an_empty_batch_gives_an_empty_y_a_warning_and_leaves_the_state(self):
        for shape in ((0, 3), (0, 3, 4), (5, 3, 0)):
            with self.subTest(shape=shape):
                self.save("x.npy", np.zeros(shape, "float32"))
                before = self.snapshot()
                run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "train")
                self.assertEqual(run.lines(), ["bn: warning: x.npy: an empty batch, %s; the state stays as it was" % (shape,)])
                after = self.snapshot()
                self.assertEqual(after.pop(b"y.npy")[0], before[b"x.npy"][0])
                before.pop(b"y.npy", None)
                self.assertEqual(after, before)
                self.assertEqual(self.read("y.npy"), self.read("x.npy"))
                self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
                self.assertEqual(self.read("y.npy"), self.read("x.npy"))


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
        run = self.run_program(["bash", "-c", script], env={"BN": BN, "RELU": relu})
        self.assertEqual((run.returncode, run.stderr), (DONE, ""))
        self.save("x.npy", np.maximum(self.forward(), 0))
        self.assertEqual(self.read("out.npy"), saved(self.forward("--mode", "test")))


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

    def test_a_momentum_below_a_half_is_questioned_where_it_multiplies_the_old_value(self):
        for momentum, weights, questioned in ((np.nextafter(0.5, 0), "running", True), (0.5, "running", False),
                                              (0.1, "batch", False), (None, "running", False), (0.0, "running", True)):
            self.state(**dict(STATE, momentum=momentum, momentum_weights=weights))
            run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
            self.assertEqual("bn: warning: momentum " in run.stderr, questioned, run.stderr)
            self.assertEqual(run.stderr != "", questioned)
            # Where nothing is updated it does not matter.
            for more in (["--no-update"], ["--mode", "test"]):
                self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", *more)

    def test_test_mode_with_statistics_that_were_never_updated_is_questioned(self):
        for var in (0.0, 1.0):
            self.check_warning(["state.json"], dict(STATE, mode="test", num_batches_tracked=0,
                                                    running_mean=[0.0] * 3, running_var=[var] * 3))

    def test_a_running_variance_that_vanishes_beside_eps_is_questioned(self):
        self.check_warning(["running_var", "eps"], dict(STATE, mode="test", running_var=[1.0, 1e-20, 1.0]))

    def test_fewer_than_8_values_per_channel_in_train_mode_are_questioned(self):
        self.save("x.npy", self.x[:7, :, 0][:5])
        self.check_warning(["5"], STATE)

    def test_eight_values_per_channel_are_enough(self):
        self.save("x.npy", self.random.normal(0, 1, (8, 3)))
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")

    def test_a_float16_overflow_is_infinity_and_one_warning_with_the_count(self):
        x = np.array([[100.0], [-100.0], [100.0], [-100.0]] * 3)
        self.save("x.npy", x)
        self.state(mode="train", gamma=[1e5])
        run = self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--dtype", "float16")
        self.assertEqual(len(run.lines()), 1, run.stderr)
        for what in ("12 ", " y ", "float16"):
            self.assertIn(what, run.stderr)
        self.assertEqual(self.load("y.npy").tolist(), [[np.inf], [-np.inf], [np.inf], [-np.inf]] * 3)


if __name__ == "__main__":
    main()
