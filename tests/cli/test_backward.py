"""What bn backward and each of its flags do, on the real program."""

import itertools
import os

import numpy as np

import oracle
from commands import CommandTest, STATE
from harness import BAD_INPUT, USAGE, main, saved


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
            others = "its values are others"
            for what, x, why in (("rows swapped", swapped, others), ("one bit", one_bit, others), ("zeros", 0 * self.x, others),
                                 ("dtype", self.x.astype("float32"), "its dtype is float32, not float64"),
                                 ("shape", self.x[:, :, :3], "its shape is (5, 3, 3), not (5, 3, 4)"),
                                 ("another order", np.asfortranarray(one_bit), others)):
                with self.subTest(what=what, mode=mode):
                    self.save("x.npy", self.x)
                    self.cache("--mode", mode)
                    self.save("x.npy", x)
                    if what == "shape":
                        self.save("dy.npy", self.dy[:, :, :3])
                    for output in ("new.npy", "-"):  # nothing leaves through a pipe either
                        self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--cache", "cache.json",
                                   "--dx", output, mentions="bn: x.npy: not the x of the forward pass that wrote "
                                   "cache.json: " + why)
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
        self.backward("--state", "state.json")
        self.assert_gradients()
        dx, dgamma, dbeta = (self.load(n) for n in ("dx.npy", "dgamma.npy", "dbeta.npy"))
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

    def test_verbose_names_where_the_statistics_come_from(self):
        self.cache("--eps", "0.25")
        backward = ["backward", "dy.npy", "--x", "x.npy", "--verbose", "--dbeta", "dbeta.npy"]
        for source, line, written in ((["--cache", "cache.json"], "mode train, eps 0.25, statistics from the cache", 0),
                                      (["--state", "state.json"], "mode train, eps 1e-05, statistics of x", 0),
                                      (["--state", "state.json", "--mode", "test"], "mode test, eps 1e-05", 0),
                                      (["--state", "state.json", "--dx", "dx.npy"], "mode train, eps 1e-05, statistics of x", 480)):
            lines = self.ok(*backward, *source).lines()
            view = "(5, 3, 4) float64, axis 1; view [outer, channel, inner] = [5, 3, 4], 20 values per channel"
            self.assertEqual(lines[:3], ["bn: x.npy: " + view, "bn: dy.npy: " + view, "bn: " + line])
            self.assertTrue(lines[3].startswith("bn: 960 bytes read, %d bytes written, " % written), lines)

    def test_small_batches_and_overflows_are_warned_of(self):
        self.save("x.npy", self.x[:, :, 0])
        self.save("dy.npy", self.dy[:, :, 0] * 1e6)
        backward = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy"]
        small = "bn: warning: x.npy: only 5 values per channel; the statistics of so small a batch say little"
        self.assertEqual(self.ok(*backward).lines(), [small])
        self.silent(*backward, "--mode", "test")
        lines = self.ok(*backward, "--dtype", "float16").lines()
        infinite = int(np.isinf(self.load("dx.npy")).sum())
        self.assertGreater(infinite, 1)
        self.assertEqual(lines, [small, "bn: warning: dx.npy: %d values of dx are beyond the range of float16 and became "
                                        "infinite" % infinite])
        self.save("x.npy", np.zeros((0, 3)))
        self.save("dy.npy", np.zeros((0, 3)))
        for mode in ("train", "test"):
            self.assertEqual(self.ok(*backward, "--mode", mode).lines(),
                             ["bn: warning: x.npy: an empty batch, (0, 3); its gradients are zero"])

    def test_a_damaged_cache_is_refused(self):
        self.cache()
        good = self.read("cache.json")
        for bad in (b"", good[:-3], good + b"{}", good.replace(b'"var"', b'"vra"'),
                    good.replace(b'"eps"', b'"esp"')):
            self.write("cache.json", bad)
            self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--cache", "cache.json", "--dx", "n.npy",
                       mentions="cache.json")

    def test_an_empty_batch_has_zero_gradients(self):
        self.save("x.npy", np.zeros((0, 3)))
        self.save("dy.npy", np.zeros((0, 3)))
        for mode in ("train", "test"):
            self.backward("--state", "state.json", "--mode", mode)
            self.assertEqual(self.load("dx.npy").shape, (0, 3))
            self.assertEqual(self.load("dgamma.npy").tolist(), [0, 0, 0])
            self.assertEqual(self.load("dbeta.npy").tolist(), [0, 0, 0])


class PipesTest(CommandTest):
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
        for outputs in itertools.combinations(("--dx", "--dgamma", "--dbeta"), 2):
            words = [word for flag in outputs for word in (flag, "-")]
            self.fails(USAGE, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", *words,
                       mentions="- is given 2 times for standard output")


if __name__ == "__main__":
    main()
