"""forward and backward against PyTorch, the textbook NumPy code, and exact arithmetic."""

import itertools
import os

import numpy as np

import oracle
from harness import BnTest, GOLDENS, main

FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
# name: shape and channel axis
LAYOUTS = {"2d": ((9, 4), 1), "3d": ((3, 4, 5), 1), "nchw": ((2, 3, 4, 3), 1),
           "nhwc": ((2, 4, 3, 3), -1), "5d": ((2, 3, 2, 2, 3), 1), "channel first": ((3, 4, 5), 0)}


class AgreementTest(BnTest):
    def parameters(self, channels):
        return {"gamma": self.random.normal(1, 0.5, channels).tolist(),
                "beta": self.random.normal(0, 1, channels).tolist(),
                "running_mean": self.random.normal(0, 1, channels).tolist(),
                "running_var": self.random.uniform(0.5, 3, channels).tolist()}

    def values(self, shape, dtype, order="C", byte_order="<"):
        """Random values in any dtype, memory order and byte order."""
        if np.dtype(dtype).kind == "f":
            array = self.random.normal(1, 2, shape)
        else:
            limits = np.iinfo(dtype)
            array = self.random.integers(max(limits.min, -2 ** 40), min(limits.max, 2 ** 40), shape,
                                         endpoint=True)
        return np.asarray(array, order=order).astype(np.dtype(dtype).newbyteorder(byte_order),
                                                     order=order)

    def assert_within(self, got, want, largest, relative, what):
        """Element by element: |got - want| <= relative * largest. For what others compute, with their errors."""
        error = np.abs(got.astype(np.float64) - want)
        scale = np.asarray(largest, dtype=np.float64)
        self.assertTrue((error <= relative * scale).all(), (what, error.max()))

    def check_forward(self, x, axis, mode, parameters, what, dtype=None, eps=1e-5):
        """y has every bit of the exact one rounded once. dtype: that of --dtype."""
        self.state(mode=mode, axis=axis, eps=eps, **parameters)
        self.save("x.npy", x)
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update",
                *(("--dtype", dtype) if dtype else ()))
        y = self.load("y.npy")
        running = (parameters["running_mean"], parameters["running_var"]) if mode == "test" else ()
        self.assert_bits(y, oracle.forward(x, axis, parameters["gamma"], parameters["beta"], eps, *running, dtype=dtype),
                         what)
        return y

    def check_backward(self, x, dy, axis, mode, parameters, what, dtype=None, eps=1e-5):
        """dx, dgamma and dbeta have every bit of the exact ones rounded once."""
        self.state(mode=mode, axis=axis, eps=eps, **parameters)
        self.save("x.npy", x)
        self.save("dy.npy", dy)
        self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                "--dgamma", "dgamma.npy", "--dbeta", "dbeta.npy", *(("--dtype", dtype) if dtype else ()))
        running = (parameters["running_mean"], parameters["running_var"]) if mode == "test" else ()
        want = oracle.backward(x, dy, axis, parameters["gamma"], eps, *running, dtype=dtype)
        for name in ("dx", "dgamma", "dbeta"):
            self.assert_bits(self.load(name + ".npy"), getattr(want, name), (name, what))
        return self.load("dx.npy")


class PyTorchTest(AgreementTest):
    def folders(self, dtype):
        root = os.path.join(GOLDENS, "torch")
        for name in sorted(os.listdir(root)):
            if name.endswith(dtype):
                folder = os.path.join(root, name)
                yield name, {f[:-4]: np.load(os.path.join(folder, f)) for f in os.listdir(folder)}

    def run_both(self, golden):
        """{name_mode: array} of everything that bn computes from a golden's inputs."""
        results = {}
        self.save("x.npy", golden["x"])
        self.save("dy.npy", golden["dy"])
        for mode in ("train", "test"):
            self.state(mode=mode, **{k: golden[k].astype(float).tolist()
                                     for k in ("gamma", "beta", "running_mean", "running_var")})
            self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update")
            self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                    "--dgamma", "dgamma.npy", "--dbeta", "dbeta.npy")
            for name in ("y", "dx", "dgamma", "dbeta"):
                results["%s_%s" % (name, mode)] = self.load(name + ".npy")
        return results

    def largest_terms(self, golden):
        """The largest term of every result, which PyTorch's errors are in proportion to; of a sum: its largest summand."""
        terms = {}
        golden = {key: golden[key].astype(float) for key in ("x", "dy", "gamma", "beta", "running_mean", "running_var")}
        x, dy = (np.moveaxis(golden[key], 1, -1) for key in ("x", "dy"))
        rows = tuple(range(x.ndim - 1))
        for mode in ("train", "test"):
            mean, var = ((golden["running_mean"], golden["running_var"]) if mode == "test"
                         else (x.mean(axis=rows), x.var(axis=rows)))
            inv_std = 1 / np.sqrt(var + 1e-5)
            x_hat, gamma, beta = (x - mean) * inv_std, golden["gamma"], golden["beta"] + 0 * x
            terms["y_" + mode] = self.largest(gamma * x_hat, beta, gamma * x_hat + beta)
            slopes = [gamma * inv_std * dy]
            if mode == "train":
                slopes += [gamma * inv_std * dy.mean(axis=rows) + 0 * x,
                           gamma * inv_std * x_hat * (dy * x_hat).mean(axis=rows)]
                slopes += [slopes[0] - slopes[1] - slopes[2]]
            terms["dx_" + mode] = self.largest(*slopes)
            terms["dgamma_" + mode] = np.abs(dy * x_hat).max(axis=rows)
            terms["dbeta_" + mode] = np.abs(dy).max(axis=rows)
        return terms

    def largest(self, *terms):
        return np.moveaxis(np.abs(terms).max(axis=0), -1, 1)

    def results(self, dtype):
        """Of every result: the golden's name, the result's, what bn computes, the golden, the largest term."""
        for name, golden in self.folders(dtype):
            largest = self.largest_terms(golden)
            for key, got in self.run_both(golden).items():
                yield name, key, got, golden, largest[key]

    def test_float64_results_equal_pytorchs_to_1e_12_of_the_largest_term(self):
        for name, key, got, golden, largest in self.results("float64"):
            with self.subTest(golden=name, result=key):
                self.assertEqual(got.dtype, np.float64)
                self.assert_within(got, golden[key], largest, 1e-12, (name, key))

    def test_float32_results_equal_pytorchs_float64_ones_to_one_ulp_of_the_largest_term(self):
        for name, key, got, golden, largest in self.results("float32"):
            with self.subTest(golden=name, result=key):
                ulp = np.spacing(largest.astype(np.float32)).astype(float)
                self.assert_within(got, golden[key + "_64"], ulp, 1, (name, key))

    def test_float32_results_are_at_least_as_near_to_the_float64_ones_as_pytorchs_float32_ones(self):
        for name, key, got, golden, largest in self.results("float32"):
            with self.subTest(golden=name, result=key):
                ulp = np.spacing(largest.astype(np.float32)).astype(float)
                wide = golden[key + "_64"]
                ours = (np.abs(got.astype(float) - wide) / ulp).max()
                theirs = (np.abs(golden[key].astype(float) - wide) / ulp).max()
                # Nothing in float32 is nearer than rounding gets, and the float64 ones have errors, too.
                self.assertLessEqual(ours, max(theirs, 0.5001))


class TextbookTest(AgreementTest):
    """The NumPy code that courses teach, in float64."""

    def setUp(self):
        super().setUp()
        self.x = self.random.normal(2, 3, (3, 4, 5, 6))
        self.dy = self.random.normal(0, 1, self.x.shape)
        self.values4 = self.parameters(4)
        self.gamma, self.beta, self.mean, self.var = (
            np.array(self.values4[k]) for k in ("gamma", "beta", "running_mean", "running_var"))
        self.save("x.npy", self.x)
        self.save("dy.npy", self.dy)
        self.state(**self.values4)
        self.columns, self.up = oracle.columns(self.x, 1), oracle.columns(self.dy, 1)

    def near(self, got, want, largest):
        self.assert_within(oracle.columns(got, 1), want, largest, 1e-12, "")

    def test_forward_train_is_the_textbook_code(self):
        self.ok("forward", "x.npy", "--state", "state.json", "--mode", "train", "-o", "y.npy")
        y, x_hat, mean, var = oracle.plain_forward(self.columns, self.gamma, self.beta, 1e-5)
        self.near(self.load("y.npy"), y, np.maximum(abs(self.gamma * x_hat), abs(self.beta)))

    def test_forward_test_is_the_textbook_code(self):
        self.ok("forward", "x.npy", "--state", "state.json", "--mode", "test", "-o", "y.npy")
        y = oracle.plain_forward_test(self.columns, self.gamma, self.beta, 1e-5, self.mean, self.var)
        scale = abs(self.gamma) / np.sqrt(self.var + 1e-5)
        self.near(self.load("y.npy"), y, np.maximum.reduce(
            [abs(self.columns) * scale, abs(self.mean) * scale + 0 * y, abs(self.beta) + 0 * y]))

    def test_backward_is_the_textbook_code_in_both_its_forms(self):
        self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--mode", "train",
                "--dx", "dx.npy")
        inv_std = 1 / np.sqrt(self.columns.var(axis=0) + 1e-5)
        largest = abs(self.gamma * inv_std) * abs(self.up).max(axis=0) + 0 * self.up
        for form in (oracle.plain_backward_by_steps, oracle.plain_backward_by_formula):
            self.near(self.load("dx.npy"), form(self.columns, self.up, self.gamma, 1e-5), largest)


class ExactTest(AgreementTest):
    def test_y_is_rounded_once_for_every_dtype_order_and_layout_in_both_modes(self):
        for (layout, (shape, axis)), dtype in itertools.product(LAYOUTS.items(), FLOATS + INTEGERS):
            order, byte_order = self.random.choice(["C", "F"]), self.random.choice(["<", ">"])
            self.forward_in_both_modes(layout, shape, axis, dtype, order, byte_order)

    def test_y_is_rounded_once_for_every_memory_and_byte_order_of_the_floats(self):
        for dtype, order, byte_order in itertools.product(FLOATS, "CF", "<>"):
            self.forward_in_both_modes("nchw", *LAYOUTS["nchw"], dtype, order, byte_order)

    def forward_in_both_modes(self, layout, shape, axis, dtype, order, byte_order):
        parameters = self.parameters(shape[axis])
        x = self.values(shape, dtype, order, byte_order)
        for mode in ("train", "test"):
            what = (layout, mode, x.dtype.str, order)
            with self.subTest(what=what):
                y = self.check_forward(x, axis, mode, parameters, what)
                self.assertEqual(y.dtype.name, dtype if dtype in FLOATS else "float64")

    def test_gradients_are_rounded_once_for_every_dtype_order_and_layout_in_both_modes(self):
        for (layout, (shape, axis)), dtype in itertools.product(LAYOUTS.items(), FLOATS + INTEGERS):
            parameters = self.parameters(shape[axis])
            x = self.values(shape, dtype, self.random.choice(["C", "F"]), self.random.choice(["<", ">"]))
            dy_dtype = dtype if dtype in FLOATS else "float64"
            dy = self.values(shape, dy_dtype, self.random.choice(["C", "F"]),
                             self.random.choice(["<", ">"]))
            for mode in ("train", "test"):
                what = (layout, mode, x.dtype.str, dy.dtype.str)
                with self.subTest(what=what):
                    dx = self.check_backward(x, dy, axis, mode, parameters, what)
                    self.assertEqual(dx.dtype.name, dy_dtype)

    def test_y_of_every_dtype_from_x_of_every_dtype_is_rounded_once(self):
        for dtype, out, mode in itertools.product(FLOATS + INTEGERS, FLOATS, ("train", "test")):
            what = (dtype, out, mode)
            with self.subTest(what=what):
                y = self.check_forward(self.values((4, 3, 5), dtype), 1, mode, self.parameters(3), what, out)
                self.assertEqual(y.dtype.name, out)

    def test_gradients_of_x_and_dy_of_any_two_dtypes_are_rounded_once(self):
        """Into the dtype of dx that follows from dy, and into each dtype in both modes by turns."""
        outs = itertools.cycle(itertools.product(FLOATS, ("train", "test")))
        for dtype, other in itertools.product(FLOATS + INTEGERS, repeat=2):
            x, dy = self.values((6, 3, 5), dtype), self.values((6, 3, 5), other)
            for out, mode in ((None, "train"), next(outs)):
                what = (dtype, other, out, mode)
                with self.subTest(what=what):
                    dx = self.check_backward(x, dy, 1, mode, self.parameters(3), what, out)
                    self.assertEqual(dx.dtype.name, out or (other if other in FLOATS else "float64"))

    def test_results_of_lengths_around_every_vector_width_are_rounded_once(self):
        for m in (2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65):
            for shape, axis in (((m, 3), 1), ((1, 3, m), 1), ((m, 17), 1)):
                with self.subTest(shape=shape):
                    parameters = self.parameters(shape[axis])
                    x = self.values(shape, "float32")
                    self.check_forward(x, axis, "train", parameters, shape)
                    self.check_backward(x, self.values(shape, "float32"), axis, "train", parameters, shape)

    def test_every_eps_and_large_and_small_values_are_rounded_once(self):
        for eps, scale in itertools.product((1e-12, 1e-3, 10.0), (1e-30, 1.0, 1e30)):
            with self.subTest(eps=eps, scale=scale):
                x = (self.values((7, 2, 3), "float64") * scale).astype("float32")
                self.check_forward(x, 1, "train", self.parameters(2), (eps, scale), eps=eps)
                self.check_forward(x.astype("float64"), 1, "train", self.parameters(2), (eps, scale), eps=eps)

    def test_large_samples_between_chunks_are_rounded_once(self):
        x = self.values((3, 2, 3001), "float32")
        self.check_forward(x, 1, "train", self.parameters(2), "runs")
        self.check_forward(np.ascontiguousarray(x.reshape(2, 9003).T), 1, "train", self.parameters(2), "rows")

    def test_the_statistics_in_the_cache_are_the_exact_ones_rounded_once(self):
        for dtype, (layout, (shape, axis)) in itertools.product(FLOATS + INTEGERS, LAYOUTS.items()):
            with self.subTest(dtype=dtype, layout=layout):
                x = self.values(shape, dtype)
                self.save("x.npy", x)
                self.state(mode="train", axis=axis)
                self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json")
                cache, want = self.json("cache.json"), oracle.Statistics(x, axis)
                self.assertEqual(cache["mean"], want.rounded("mean"))
                self.assertEqual(cache["var"], want.rounded("var"))


class PropertiesTest(AgreementTest):
    def test_finite_differences_give_the_gradients(self):
        """Central differences in exact arithmetic of bn's own forward, on a loss sum(y * dy)."""
        x = self.values((3, 2, 4), "float64")
        dy = self.values((3, 2, 4), "float64")
        parameters = self.parameters(2)
        for mode in ("train", "test"):
            self.save("x.npy", x)
            self.save("dy.npy", dy)
            self.state(mode=mode, **parameters)
            self.ok("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                    "--dgamma", "dgamma.npy", "--dbeta", "dbeta.npy")

            def loss(x=x, **changed):
                self.state("other.json", mode=mode, **dict(parameters, **changed))
                self.save("moved.npy", x)
                self.ok("forward", "moved.npy", "--state", "other.json", "-o", "y.npy", "--no-update")
                return float((self.load("y.npy") * dy).sum())

            h = 1e-5
            for index in [(0, 0, 0), (1, 1, 2), (2, 0, 3), (2, 1, 3)]:
                up, down = x.copy(), x.copy()
                up[index] += h
                down[index] -= h
                slope = (loss(up) - loss(down)) / (up[index] - down[index])
                self.assertLessEqual(abs(slope - self.load("dx.npy")[index]), 1e-8, (mode, index))
            for key, name in (("gamma", "dgamma.npy"), ("beta", "dbeta.npy")):
                for c in range(2):
                    up, down = list(parameters[key]), list(parameters[key])
                    up[c] += h
                    down[c] -= h
                    slope = (loss(**{key: up}) - loss(**{key: down})) / (up[c] - down[c])
                    self.assertLessEqual(abs(slope - self.load(name)[c]), 1e-8, (mode, key))

    def test_dx_of_a_train_step_sums_to_zero_alone_and_against_x_hat(self):
        x, dy = self.values((5, 3, 7), "float64"), self.values((5, 3, 7), "float64")
        self.check_backward(x, dy, 1, "train", self.parameters(3), "", eps=1e-30)
        dx = oracle.columns(self.load("dx.npy"), 1)
        columns = oracle.columns(x, 1)
        x_hat = (columns - columns.mean(axis=0)) / columns.std(axis=0)
        for total in (dx.sum(axis=0), (dx * x_hat).sum(axis=0)):
            self.assertTrue((abs(total) <= 1e-13 * abs(dx).max()).all(), total)

    def test_y_has_the_mean_beta_and_the_deviation_gamma(self):
        x = self.values((50, 3, 7), "float64")
        self.save("x.npy", x)
        self.state(mode="train", eps=1e-30, gamma=[1.5, -2.0, 0.25], beta=[3.0, 0.0, -1.0])
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        y = oracle.columns(self.load("y.npy"), 1)
        self.assertTrue((abs(y.mean(axis=0) - [3, 0, -1]) <= 1e-14).all())
        self.assertTrue((abs(y.std(axis=0) - [1.5, 2.0, 0.25]) <= 1e-14).all())


class NumPyFilesTest(AgreementTest):
    def test_every_file_that_numpy_writes_is_read(self):
        root = os.path.join(GOLDENS, "npy")
        values = np.arange(1, 25).reshape(2, 3, 4)
        self.state(mode="train", axis=1)
        for name in sorted(os.listdir(root)):
            with self.subTest(file=name):
                x = np.load(os.path.join(root, name))
                self.assertTrue((x == values).all())
                self.ok("forward", os.path.join(root, name), "--state", "state.json", "-o", "y.npy",
                        "--no-update")
                y = self.load("y.npy")
                self.assert_bits(y, oracle.forward(values, 1, [1.0] * 3, [0.0] * 3, 1e-5, dtype=y.dtype.name))
                self.assertEqual(y.flags.f_contiguous, x.flags.f_contiguous)


if __name__ == "__main__":
    main()
