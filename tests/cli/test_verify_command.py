"""bn verify as a command: what it takes, what it prints and how it ends. Whether it finds what is wrong
is for test_verify.py.
"""

import itertools
import json
import os
import subprocess

import numpy as np

from commands import CommandTest, STATE
from harness import BAD_INPUT, BN, DIFFERS, DONE, SYSTEM, USAGE, main, saved

KEYS = ["holds", "mode", "shape", "axis", "channels", "values_per_channel", "claims", "warnings"]
CLAIM_KEYS = ["claim", "dtype", "holds", "tolerance", "values", "beyond", "nan", "worst", "mean_ulp", "bias_ulp",
              "needed_tolerance", "worst_channels", "diagnosis"]
DIAGNOSIS_KEYS = ["explanations", "channels", "sampled_channels", "sampled_values"]
QUANTITIES = ["y", "running_mean", "running_var", "num_batches_tracked", "dx", "dgamma", "dbeta"]
AT = (3, 2, 1)  # where values are made wrong


class VerifyTest(CommandTest):
    """Claims that are those of bn forward and backward themselves, and so right."""

    ALL = ["--y", "y.npy", "--state-after", "after.json", "--dy", "dy.npy", "--dx", "dx.npy", "--dgamma", "dgamma.npy",
           "--dbeta", "dbeta.npy"]

    def setUp(self):
        super().setUp()
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "after.json")
        self.silent("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                    "--dgamma", "dgamma.npy", "--dbeta", "dbeta.npy")
        self.y = self.load("y.npy")

    def verify(self, *words, code=DONE, **more):
        before = self.snapshot()
        run = self.bn("verify", "x.npy", "--state", "state.json", *words, **more)
        self.assertEqual(run.returncode, code, (words, run.stderr))
        self.assertEqual(self.snapshot(), before)
        return run

    def told(self, *words, **more):
        """What --json says, to whom NaN is no number."""
        def refuse(constant):
            self.fail(constant)

        return json.loads(self.verify(*words, "--json", **more).stdout, parse_constant=refuse)

    def wrong(self, value, name="y.npy", dtype=None):
        """Saves the claim with one value that is another."""
        claim = self.load(name).astype(dtype or np.float64)
        claim[AT] = value
        return self.save("wrong.npy", claim)

    def refused(self, code, *words, mentions=(), **more):
        return self.fails(code, "verify", "x.npy", "--state", "state.json", *words, mentions=mentions, **more)


class AnswerTest(VerifyTest):
    def test_right_claims_hold_and_nothing_is_said_on_standard_error(self):
        run = self.verify(*self.ALL)
        self.assertEqual(run.stderr, "")
        text = run.stdout.decode()
        self.assertEqual(text.splitlines()[0], "x.npy: (5, 3, 4), axis 1: 3 channels of 20 values, train mode")
        for quantity in QUANTITIES:
            self.assertIn("\n%s: holds: " % quantity, text)
        self.assertNotIn("wrong", text)

    def test_each_claim_may_stand_alone(self):
        for words, claims in ((["--y", "y.npy"], ["y"]), (["--state-after", "after.json"], QUANTITIES[1:4]),
                              *((["--dy", "dy.npy", "--" + name, name + ".npy"], [name]) for name in QUANTITIES[4:])):
            told = self.told(*words)
            self.assertEqual([claim["claim"] for claim in told["claims"]], claims)
            self.assertIs(told["holds"], True)

    def test_the_keys_of_json_are_in_their_order(self):
        told = self.told(*self.ALL)
        self.assertEqual(list(told), KEYS)
        self.assertEqual({key: told[key] for key in KEYS if key != "claims"},
                         {"holds": True, "mode": "train", "shape": [5, 3, 4], "axis": 1, "channels": 3,
                          "values_per_channel": 20, "warnings": []})
        self.assertEqual([claim["claim"] for claim in told["claims"]], QUANTITIES)
        for claim in told["claims"]:
            self.assertEqual(list(claim), CLAIM_KEYS)
            self.assertIs(claim["holds"], True)
            self.assertIsNone(claim["diagnosis"])
            self.assertEqual(claim["beyond"], 0)
        self.assertEqual([claim["values"] for claim in told["claims"]], [60, 3, 3, 1, 60, 3, 3])
        # A state's numbers are float32 if nothing else is said.
        self.assertEqual([claim["dtype"] for claim in told["claims"]],
                         ["float64", "float32", "float32", "float64", "float64", "float64", "float64"])
        for dtype in ("float16", "float64"):
            told = self.told("--state-after", "after.json", "--after-dtype", dtype)
            self.assertEqual(told["claims"][0]["dtype"], dtype)

    def test_a_value_that_is_wrong_is_found(self):
        self.wrong(self.y[AT] + 1)
        told = self.told("--y", "wrong.npy", "--state-after", "after.json", code=DIFFERS)
        self.assertIs(told["holds"], False)
        claim, *others = told["claims"]
        self.assertEqual(list(claim), CLAIM_KEYS)
        self.assertEqual((claim["holds"], claim["beyond"], claim["nan"]), (False, 1, 0))
        worst = claim["worst"]
        self.assertEqual(list(worst), ["ulp", "plain_ulp", "index", "claimed", "exact"])
        self.assertEqual((worst["index"], worst["claimed"]), (list(AT), self.y[AT] + 1))
        self.assertAlmostEqual(worst["exact"], self.y[AT], 12)
        self.assertEqual(claim["needed_tolerance"], worst["ulp"])
        self.assertGreater(claim["bias_ulp"], 0)
        self.assertEqual([c["channel"] for c in claim["worst_channels"]][0], AT[1])
        self.assertEqual(list(claim["worst_channels"][0]), ["channel", "ulp", "beyond"])
        self.assertEqual(len(claim["worst_channels"]), 3)
        self.assertEqual(list(claim["diagnosis"]), DIAGNOSIS_KEYS)
        self.assertEqual(claim["diagnosis"]["channels"], [AT[1]])
        self.assertTrue(all(other["holds"] for other in others))
        text = self.verify("--y", "wrong.npy", "--state-after", "after.json", code=DIFFERS).stdout.decode()
        self.assertIn("\ny: wrong: 1 of 60 values beyond ", text)
        self.assertIn("at (3, 2, 1): %r, exactly " % float(self.y[AT] + 1), text)
        self.assertIn("  wrong in 1 of 3 channels: 2\n", text)
        self.assertIn("\nrunning_mean: holds: ", text)

    def test_the_tolerance_that_is_needed_is_enough_and_nothing_below_it(self):
        self.wrong(self.y[AT] * 1.001, dtype=np.float32)
        needed = self.told("--y", "wrong.npy", code=DIFFERS)["claims"][0]["needed_tolerance"]
        self.assertEqual(self.told("--y", "wrong.npy", "--tolerance", repr(needed))["claims"][0]["tolerance"], needed)
        self.verify("--y", "wrong.npy", "--tolerance", repr(np.nextafter(needed, 0)), code=DIFFERS)
        # What the text proposes is enough, too.
        text = self.verify("--y", "wrong.npy", code=DIFFERS).stdout.decode()
        shown = text.split("would hold with  --tolerance ")[1].split("\n")[0]
        self.assertLess(len(shown), 8)
        self.verify("--y", "wrong.npy", "--tolerance", shown)

    def test_a_mistake_within_the_tolerance_is_wrong_unless_the_tolerance_was_given(self):
        # Of a long sum in float32 the tolerance is thousands of ulp; the other variance is hundreds away.
        x = self.random.normal(1, 2, (20000, 3)).astype(np.float32)
        self.save("x.npy", x)
        wide = x.astype(np.float64)
        y = (wide - wide.mean(0)) / np.sqrt(wide.var(0, ddof=1) + STATE["eps"]) * STATE["gamma"] + STATE["beta"]
        self.save("y.npy", y.astype(np.float32))
        claim, = self.told("--y", "y.npy", code=DIFFERS)["claims"]
        self.assertEqual((claim["holds"], claim["beyond"]), (False, 0))
        self.assertEqual(claim["diagnosis"]["explanations"][0]["mistakes"], ["var_unbiased"])
        text = self.verify("--y", "y.npy", code=DIFFERS).stdout.decode()
        self.assertRegex(text, r"\ny: wrong: 60,000 values within [0-9,]* ulp of float32, but no rounding errors\n")
        self.verify("--y", "y.npy", "--tolerance", claim["tolerance"])

    def test_what_is_no_number_is_wrong_and_shown(self):
        for value, shown in ((np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")):
            self.wrong(value)
            claim, = self.told("--y", "wrong.npy", code=DIFFERS)["claims"]
            self.assertEqual((claim["worst"]["claimed"], claim["worst"]["index"]), (shown, list(AT)))
            self.assertEqual((claim["nan"], claim["beyond"]), (int(shown == "nan"), 1))
            if shown == "nan":
                self.assertIsNone(claim["worst"]["ulp"])
                self.assertIsNone(claim["needed_tolerance"])
                self.assertIsNone(claim["worst_channels"][0]["ulp"])
                self.verify("--y", "wrong.npy", "--tolerance", "1e300", code=DIFFERS)
                text = self.verify("--y", "wrong.npy", code=DIFFERS).stdout.decode()
                self.assertIn("no tolerance at all", text)
        self.save("wrong.npy", np.array([1, np.nan, 2]))
        claim, = self.told("--dy", "dy.npy", "--dbeta", "wrong.npy", code=DIFFERS)["claims"]
        self.assertEqual((claim["claim"], claim["worst"]["index"], claim["worst"]["claimed"]), ("dbeta", [1], "nan"))

    def test_nothing_explains_what_is_no_number(self):
        # The terms overflow in double, so that what mistakes yield is no number either.
        self.save("x.npy", np.zeros((5, 3, 4)))
        self.save("wrong.npy", np.full((5, 3, 4), np.nan))
        self.state(**dict(STATE, gamma=[1e308] * 3, beta=[-1e308] * 3))
        self.assertEqual(self.told("--y", "wrong.npy", code=DIFFERS)["claims"][0]["diagnosis"]["explanations"], [])

    def test_another_measure_of_deviation_is_not_low_precision(self):
        x = np.random.default_rng(3).normal([[2.5], [3], [3.5]], [[0.3], [0.5], [1]], (64, 3, 16)).astype(np.float32)
        self.save("x.npy", x)
        off = x - x.mean(axis=(0, 2), keepdims=True)
        self.state(**dict(STATE, gamma=[1.0] * 3, beta=[0.0] * 3))
        self.save("wrong.npy", (off / np.abs(off).mean(axis=(0, 2), keepdims=True)).astype(np.float32))
        self.assertEqual(self.told("--y", "wrong.npy", code=DIFFERS)["claims"][0]["diagnosis"]["explanations"], [])

    def test_verbose_says_what_was_tried_quiet_nothing(self):
        self.wrong(self.y[AT] + 1)
        diagnosis = self.told("--y", "wrong.npy", "--verbose", code=DIFFERS)["claims"][0]["diagnosis"]
        self.assertEqual(list(diagnosis), [*DIAGNOSIS_KEYS, "tried"])
        self.assertGreater(len(diagnosis["tried"]), 0)
        run = self.verify("--y", "wrong.npy", "--verbose", code=DIFFERS)
        for tried in diagnosis["tried"]:
            self.assertEqual(list(tried), ["mistakes", "residual_ulp"])
            self.assertIn("\n  " + " + ".join(tried["mistakes"]) + " ", run.stdout.decode())
        self.assertIn("bytes read", run.stderr)
        self.assertEqual(self.verify("--y", "wrong.npy", "--quiet", code=DIFFERS).stderr, "")

    def test_only_a_terminal_gets_colours_and_the_verdicts_alone_have_them(self):
        self.wrong(self.y[AT] + 1)
        words = ["verify", "x.npy", "--state", "state.json", "--y", "wrong.npy", "--state-after", "after.json"]
        plain = self.bn(*words).stdout.decode()
        self.assertNotIn("\x1b", plain)
        for environment, coloured in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                                      ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            leader, follower = self.terminal_ends()
            self.bn(*words, stdout=follower, env=environment)
            text = os.read(leader, 65536).decode().replace("\r\n", "\n")
            if coloured:
                self.assertEqual(text.count("\x1b[1;31mwrong\x1b[0m: "), 1)
                self.assertEqual(text.count("\x1b[32mholds\x1b[0m: "), 3)
                self.assertEqual(text.count("\x1b"), 8)
                for code in ("\x1b[1;31m", "\x1b[32m", "\x1b[0m"):
                    text = text.replace(code, "")
            self.assertEqual(text, plain)


class InputTest(VerifyTest):
    def test_any_one_array_may_come_through_a_pipe(self):
        want = self.verify(*self.ALL, "--json").stdout
        for name in ("y.npy", "dy.npy", "dx.npy", "dgamma.npy", "dbeta.npy"):
            words = ["-" if word == name else word for word in self.ALL]
            self.assertEqual(self.verify(*words, "--json", stdin=self.read(name)).stdout, want)
        self.assertEqual(self.ok("verify", "-", "--state", "state.json", *self.ALL, "--json", stdin=self.read("x.npy")).stdout, want)
        self.refused(USAGE, "--y", "-", "--dy", "-", "--dx", "dx.npy", mentions="standard input")
        self.refused(USAGE, "--state-after", "-", mentions="--state-after")
        self.fails(USAGE, "verify", "x.npy", "--state", "-", "--y", "y.npy", mentions="--state")

    def test_several_may_come_through_pipes_of_their_own(self):
        line = '%s verify <(cat x.npy) --state state.json --y <(cat y.npy) --dy <(cat dy.npy) --dx <(cat dx.npy)' % BN
        done = subprocess.run(["bash", "-c", line + " --json"], cwd=self.dir, stdout=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, DONE)
        self.assertEqual(done.stdout, self.verify("--y", "y.npy", "--dy", "dy.npy", "--dx", "dx.npy", "--json").stdout)

    def test_memory_orders_may_differ(self):
        self.wrong(self.y[AT] + 1)
        words = ["--y", "wrong.npy", "--dy", "dy.npy", "--dx", "dx.npy"]
        arrays = {name: self.load(name) for name in ("x.npy", "wrong.npy", "dy.npy", "dx.npy")}
        want = self.told(*words, code=DIFFERS)
        for orders in itertools.product("CF", repeat=4):
            for (name, array), order in zip(arrays.items(), orders):
                self.save(name, array.copy(order))
            told = self.told(*words, code=DIFFERS)
            for claim, other in zip(want["claims"], told["claims"]):
                self.assertEqual({**claim, "diagnosis": None}, {**other, "diagnosis": None})

    def test_the_channels_may_be_last_and_counted_from_the_end(self):
        for name in ("x.npy", "y.npy"):
            self.save(name, np.moveaxis(self.load(name), 1, -1))
        told = self.told("--y", "y.npy", "--axis", "-1")
        self.assertEqual((told["shape"], told["axis"], told["channels"]), ([5, 4, 3], -1, 3))

    def test_the_keys_that_the_state_after_has_are_the_claims(self):
        after = self.json("after.json")
        for keys in (["running_mean"], ["running_var"], ["num_batches_tracked"], ["running_mean", "num_batches_tracked"]):
            # What else it says, as another eps, claims nothing.
            self.state("part.json", eps=0.5, momentum=0.5, gamma=[7.0] * 3, **{key: after[key] for key in keys})
            self.assertEqual([claim["claim"] for claim in self.told("--state-after", "part.json")["claims"]], keys)
        self.state("none.json", eps=0.5, gamma=[1.0] * 3)
        self.refused(BAD_INPUT, "--state-after", "none.json", mentions=["none.json", "running_mean", "num_batches_tracked"])
        self.state("four.json", running_mean=[0.0] * 4)
        self.refused(BAD_INPUT, "--state-after", "four.json", mentions=["four.json", "4 values", "x.npy has 3 channels"])
        self.state("count.json", num_batches_tracked=7)
        self.assertIn("num_batches_tracked: wrong: 7, not 5\n",
                      self.verify("--state-after", "count.json", code=DIFFERS).stdout.decode())

    def test_a_state_without_running_statistics_starts_at_zeros_as_with_forward(self):
        bare = {key: value for key, value in STATE.items() if not key.startswith("running_mean")}
        self.state(**{**bare, "running_var": [0.0] * 3})
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--state-out", "after.json", "--force")
        self.state(**{key: value for key, value in bare.items() if key != "running_var"})
        self.verify("--y", "y.npy", "--state-after", "after.json", "--after-dtype", "float64")
        self.refused(BAD_INPUT, "--y", "y.npy", "--mode", "test", mentions=["state.json", "running_mean"])

    def test_claims_for_an_empty_batch_may_be_wrong(self):
        self.save("x.npy", np.zeros((0, 3, 4)))
        self.save("dbeta.npy", np.ones(3))
        for mode in ("train", "test"):
            told = self.told("--mode", mode, "--state-after", "after.json", "--dy", "x.npy", "--dbeta", "dbeta.npy",
                             code=DIFFERS)
            self.assertEqual([claim["holds"] for claim in told["claims"]], [False] * 4)
            for claim in told["claims"][:2] + told["claims"][3:]:
                self.assertEqual((claim["diagnosis"]["explanations"], claim["diagnosis"]["channels"]), ([], [0, 1, 2]))

    def test_in_test_mode_the_state_stays_as_it_was(self):
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
        self.assertEqual(self.told("--y", "y.npy", "--state-after", "state.json", "--mode", "test")["mode"], "test")
        self.verify("--state-after", "after.json", "--mode", "test", code=DIFFERS)
        self.state(**dict(STATE, mode="test"))
        self.verify("--state-after", "after.json", "--mode", "train")
        self.verify("--state-after", "after.json", code=DIFFERS)

    def test_what_cannot_be_verified_is_refused_by_name(self):
        self.save("integers.npy", np.zeros((5, 3, 4), np.int32))
        self.save("transposed.npy", self.y.transpose(0, 2, 1))
        self.save("four.npy", np.zeros(4))
        self.save("square.npy", np.zeros((3, 3)))
        self.save("whole.npy", np.arange(3))
        dy = ["--dy", "dy.npy"]
        for words, mentions in (
                (["--y", "integers.npy"], ["integers.npy: int32", "float32"]),
                ([*dy, "--dx", "integers.npy"], ["integers.npy: int32", "float32"]),
                (["--y", "transposed.npy"], ["transposed.npy", "(5, 4, 3)", "x.npy has the shape (5, 3, 4)"]),
                ([*dy, "--dx", "transposed.npy"], ["transposed.npy", "(5, 4, 3)"]),
                (["--dy", "transposed.npy", "--dx", "dx.npy"], ["transposed.npy", "(5, 4, 3)"]),
                ([*dy, "--dgamma", "four.npy"], ["four.npy: 4 values", "x.npy has 3 channels (axis 1 of (5, 3, 4))"]),
                ([*dy, "--dbeta", "square.npy"], ["square.npy", "(3, 3)"]),
                ([*dy, "--dbeta", "whole.npy"], ["whole.npy: int64", "float32"])):
            self.refused(BAD_INPUT, *words, mentions=mentions)
        for name in ("y.npy", "dy.npy", "dx.npy", "dgamma.npy", "dbeta.npy", "after.json"):
            words = ["missing" if word == name else word for word in self.ALL]
            self.refused(SYSTEM, *words, mentions=["missing", "No such file"])
        # dy is no claim: any dtype will do.
        self.verify("--dy", "integers.npy", "--dx", "dx.npy", code=DIFFERS)

    def test_values_that_have_no_right_results_are_named(self):
        for name in ("x.npy", "dy.npy"):
            array = self.load(name)
            array[AT] = np.inf
            self.save("inf.npy", array)
            words = ["--state", "state.json", *("inf.npy" if word == name else word for word in self.ALL)]
            self.fails(BAD_INPUT, "verify", "inf.npy" if name == "x.npy" else "x.npy", *words,
                       mentions=["inf.npy: infinity at index (3, 2, 1)"])
        self.save("x.npy", np.ones((1, 3)))
        self.refused(BAD_INPUT, "--y", "x.npy", mentions=["x.npy", "one value per channel", "--mode test"])

    def test_flags_that_miss_others_are_refused(self):
        self.refused(USAGE, mentions=["--y", "--state-after", "--dbeta"])
        for gradient in ("--dx", "--dgamma", "--dbeta"):
            self.refused(USAGE, gradient, "dx.npy", mentions=[gradient, "--dy DY.npy"])
        self.refused(USAGE, "--y", "y.npy", "--dy", "dy.npy", mentions=["--dy", "--dgamma"])
        self.refused(USAGE, "--y", "y.npy", "--after-dtype", "float16", mentions=["--after-dtype", "--state-after"])
        for value in ("-1", "nan", "inf", "few"):
            self.refused(USAGE, "--y", "y.npy", "--tolerance=" + value, mentions="--tolerance")
        self.refused(USAGE, "--y", "y.npy", "z.npy", mentions="z.npy")
        self.state(**{key: value for key, value in STATE.items() if key != "mode"})
        self.refused(USAGE, "--y", "y.npy", mentions=["state.json", "--mode"])

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "wb") as full:
            for flags in ([], ["--json"]):
                run = self.bn("verify", "x.npy", "--state", "state.json", "--y", "y.npy", *flags, stdout=full)
                self.assertEqual((run.returncode, len(run.lines())), (SYSTEM, 1), run.stderr)


class WarningsTest(VerifyTest):
    """What makes a test worthless is said, on standard error and in JSON."""

    def warnings(self, *words):
        run = self.bn("verify", "x.npy", "--state", "state.json", *words, "--json")
        self.assertIn(run.returncode, (DONE, DIFFERS), run.stderr)
        warnings = json.loads(run.stdout)["warnings"]
        self.assertEqual(run.lines(), ["bn: warning: " + warning for warning in warnings])
        self.assertEqual(self.bn("verify", "x.npy", "--state", "state.json", *words, "--quiet").stderr, "")
        return warnings

    def check(self, words, *mentions):
        warnings = self.warnings(*words)
        self.assertEqual(len(warnings), len(mentions), warnings)
        for warning, mention in zip(warnings, mentions):
            self.assertIn(mention, warning)

    Y = ["--y", "y.npy"]
    DX = ["--dy", "dy.npy", "--dx", "dx.npy"]
    DBETA = ["--dy", "dy.npy", "--dbeta", "dbeta.npy"]

    def test_ordinary_data_get_none(self):
        self.check(self.ALL)

    def test_a_gamma_or_beta_that_does_nothing(self):
        ones, zeros = [1.0] * 3, [0.0] * 3
        for gamma, beta, of_y, of_dx in ((ones, STATE["beta"], ["gamma is 1"], ["gamma is 1"]),
                                         (STATE["gamma"], zeros, ["beta is 0"], []),
                                         (ones, zeros, ["gamma is 1 and beta is 0"], ["gamma is 1 in"])):
            self.state(**dict(STATE, gamma=gamma, beta=beta))
            self.check(self.Y, *of_y)
            self.check(self.DX, *of_dx)
            self.check(self.DBETA)

    def test_a_constant_dy(self):
        self.save("dy.npy", np.full((5, 3, 4), 0.5))
        self.check(self.DX, "dy is constant in every channel")
        self.check(self.DBETA)
        self.check([*self.DX, "--mode", "test"])

    def test_running_statistics_that_are_those_of_the_batch(self):
        self.ok("calibrate", "x.npy", "--state", "state.json")
        for mode in ("train", "test"):
            self.check([*self.Y, "--mode", mode], "the running statistics are those of the batch")

    def test_few_values(self):
        for m, mentions in ((3, ["only 3 values per channel"]), (4, [])):
            self.save("x.npy", self.random.normal(1, 2, (m, 3)))
            self.save("y.npy", np.zeros((m, 3)))
            self.check(self.Y, *mentions)

    def test_mostly_zeros(self):
        zeros = np.zeros((5, 3, 4))
        zeros[:2] = self.random.normal(1, 2, (2, 3, 4))
        self.save("dy.npy", zeros)
        self.check(self.DX, "more than half of dy is 0")
        self.save("x.npy", zeros)
        self.check(self.Y, "more than half of x is 0")

    def test_what_forward_warns_of_in_test_mode(self):
        self.state(**dict(STATE, running_mean=[0.0] * 3, running_var=[1.0] * 3, num_batches_tracked=0))
        self.check([*self.Y, "--mode", "test"], "never updated")


if __name__ == "__main__":
    main()
