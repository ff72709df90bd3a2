"""What the tests of the commands share: a layer, a batch, its gradients, and the runs on them."""

import oracle
from harness import BnTest

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

    def assert_y(self, y, x=None, axis=1, eps=1e-5, mode="train"):
        """Every y is the exact one rounded once."""
        running = (STATE["running_mean"], STATE["running_var"]) if mode == "test" else ()
        x = self.x if x is None else x
        self.assert_bits(y, oracle.forward(x, axis, STATE["gamma"], STATE["beta"], eps, *running, dtype=y.dtype.name))

    def assert_gradients(self, mode="train"):
        """What backward() wrote is exact and rounded once."""
        running = (STATE["running_mean"], STATE["running_var"]) if mode == "test" else ()
        want = oracle.backward(self.x, self.dy, 1, STATE["gamma"], 1e-5, *running)
        for name in ("dx", "dgamma", "dbeta"):
            self.assert_bits(self.load(name + ".npy"), getattr(want, name), name)
