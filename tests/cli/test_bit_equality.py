"""The same values give the same bits, whatever the threads, the layout, the order of the batch, the pipe."""

import numpy as np

from harness import BnTest, loaded, main, saved

SHAPES = [(40, 3, 7, 9), (6, 5, 31, 33), (2, 2, 100, 101), (300, 17, 2, 1)]


class BitEqualityTest(BnTest):
    """Every run gives: y, the state after it, the cache's statistics, dx, dgamma, dbeta."""

    def setUp(self):
        super().setUp()
        self.shape = SHAPES[0]

    def use(self, shape, dtype="float32", mean=1.0):
        channels = shape[1]
        self.x = (self.random.normal(mean, 2, shape) * 2.0 ** self.random.integers(-8, 8, shape)).astype(dtype)
        self.dy = self.random.normal(0, 1, shape).astype(dtype)
        self.parameters = {"gamma": self.random.normal(1, 1, channels).tolist(),
                           "beta": self.random.normal(0, 1, channels).tolist(),
                           "running_mean": self.random.normal(0, 1, channels).tolist(),
                           "running_var": self.random.uniform(1, 2, channels).tolist()}

    def results(self, x, dy, axis=1, mode="train", arguments=(), piped=False, back=lambda a: a):
        self.state(mode=mode, axis=axis, **self.parameters)
        self.save("x.npy", x)
        self.save("dy.npy", dy)
        source = "-" if piped else "x.npy"
        run = self.silent("forward", source, "--state", "state.json", "-o", "-" if piped else "y.npy", "--cache",
                          "cache.json", *arguments, stdin=self.read("x.npy") if piped else b"")
        y = loaded(run.stdout) if piped else self.load("y.npy")
        cache = self.json("cache.json")
        gradients = ("--dx", "-" if piped else "dx.npy", "--dgamma", "dgamma.npy", "--dbeta", "dbeta.npy")
        run = self.silent("backward", "-" if piped else "dy.npy", "--x", "x.npy", "--cache", "cache.json",
                          *gradients, *arguments, stdin=self.read("dy.npy") if piped else b"")
        dx = loaded(run.stdout) if piped else self.load("dx.npy")
        state = self.json("state.json")
        return {"y": back(y).tobytes(), "dx": back(dx).tobytes(), "dgamma": self.read("dgamma.npy"),
                "dbeta": self.read("dbeta.npy"), "mean": cache["mean"], "var": cache["var"],
                "running_mean": state["running_mean"], "running_var": state["running_var"]}

    def compare(self, want, got, what):
        for key, value in want.items():
            self.assertTrue(value == got[key], "%s differs: %s" % (key, what))

    def each(self, dtypes=("float32", "float64", "float16")):
        for shape in SHAPES:
            for dtype in dtypes:
                for mode in ("train", "test"):
                    self.use(shape, dtype)
                    yield (shape, dtype, mode), mode, self.results(self.x, self.dy, mode=mode)

    def test_any_number_of_threads_gives_the_same_bits(self):
        for what, mode, want in self.each():
            for threads in (1, 2, 3, 8, 64):
                got = self.results(self.x, self.dy, mode=mode, arguments=("--threads", str(threads)))
                self.compare(want, got, (what, threads))

    def test_channels_first_and_channels_last_and_fortran_order_give_the_same_bits(self):
        for what, mode, want in self.each():
            moved = self.results(np.ascontiguousarray(np.moveaxis(self.x, 1, -1)),
                                 np.ascontiguousarray(np.moveaxis(self.dy, 1, -1)), -1, mode,
                                 back=lambda a: np.moveaxis(a, -1, 1))
            self.compare(want, moved, (what, "channels last"))
            front = self.results(np.ascontiguousarray(np.moveaxis(self.x, 1, 0)),
                                 np.ascontiguousarray(np.moveaxis(self.dy, 1, 0)), 0, mode,
                                 back=lambda a: np.moveaxis(a, 0, 1))
            self.compare(want, front, (what, "channels at the very front"))
            fortran = self.results(np.asfortranarray(self.x), np.asfortranarray(self.dy), 1, mode)
            self.compare(want, fortran, (what, "Fortran order"))
            rows = self.results(np.moveaxis(self.x, 1, -1).reshape(-1, self.x.shape[1]),
                                np.moveaxis(self.dy, 1, -1).reshape(-1, self.x.shape[1]), 1, mode,
                                back=lambda a: np.moveaxis(a.reshape(np.moveaxis(self.x, 1, -1).shape), -1, 1))
            self.compare(want, rows, (what, "rows of channels"))

    def test_the_byte_order_of_the_file_gives_the_same_bits(self):
        for what, mode, want in self.each():
            big = self.x.dtype.newbyteorder(">")
            self.compare(want, self.results(self.x.astype(big), self.dy.astype(big), mode=mode), what)

    def test_a_permuted_batch_gives_a_permuted_y_and_the_same_statistics(self):
        for what, mode, want in self.each():
            order = self.random.permutation(self.x.shape[0])
            back = np.argsort(order)
            got = self.results(self.x[order], self.dy[order], mode=mode, back=lambda a: a[back])
            self.compare(want, got, what)

    def test_standard_input_and_a_file_give_the_same_bits(self):
        for what, mode, want in self.each():
            self.compare(want, self.results(self.x, self.dy, mode=mode, piped=True), what)
            got = self.results(np.asfortranarray(self.x), np.asfortranarray(self.dy), mode=mode, piped=True)
            self.compare(want, got, (what, "Fortran order"))

    STATISTICS = ("mean", "var", "running_mean", "running_var", "dgamma", "dbeta")

    def test_integers_give_the_statistics_of_the_same_float64_values(self):
        self.use(SHAPES[0], "float64")
        x = self.random.integers(-100, 100, SHAPES[0])
        want = self.results(x.astype("float64"), self.dy)
        for dtype in ("int8", "int16", "int32", "int64"):
            got = self.results(x.astype(dtype), self.dy)
            self.compare({key: want[key] for key in self.STATISTICS}, got, dtype)

    def test_float32_values_stored_as_float64_give_the_same_statistics(self):
        self.use(SHAPES[1])
        want = self.results(self.x, self.dy)
        got = self.results(self.x.astype("float64"), self.dy.astype("float64"))
        self.compare({key: want[key] for key in self.STATISTICS}, got, "float64")

    def test_a_large_mean_does_not_cost_a_bit(self):
        for dtype in ("float32", "float64"):
            self.use((64, 3, 50, 50), dtype, 1e8)
            want = self.results(self.x, self.dy)
            self.compare(want, self.results(self.x[::-1], self.dy[::-1], arguments=("--threads", "3"),
                                            back=lambda a: a[::-1]), dtype)

    def test_arrays_of_several_megabytes_give_the_same_bits_in_every_layout(self):
        """Larger than one tile of the work, in a file and in a pipe."""
        for shape in ((32, 16, 56, 56), (64, 3, 120, 120)):
            self.use(shape)
            want = self.results(self.x, self.dy)
            for threads in ("1", "3"):
                self.compare(want, self.results(
                    np.ascontiguousarray(np.moveaxis(self.x, 1, -1)), np.ascontiguousarray(np.moveaxis(self.dy, 1, -1)),
                    -1, arguments=("--threads", threads), back=lambda a: np.moveaxis(a, -1, 1)), threads)
            self.compare(want, self.results(self.x, self.dy, piped=True), "piped")
            self.compare(want, self.results(np.asfortranarray(self.x), np.asfortranarray(self.dy)), "fortran")

    def test_two_runs_write_the_same_files(self):
        self.use(SHAPES[0])
        first = self.results(self.x, self.dy)
        files = {n: self.read(n) for n in ("y.npy", "cache.json", "state.json", "dx.npy")}
        self.compare(first, self.results(self.x, self.dy), "again")
        self.assertEqual({n: self.read(n) for n in files}, files)

    def test_y_has_the_bytes_of_numpy_save(self):
        self.use(SHAPES[0])
        self.results(self.x, self.dy)
        self.assertEqual(self.read("y.npy"), saved(self.load("y.npy")))


if __name__ == "__main__":
    main()
