"""What all commands share: help, the version, flags of every run, silence, the smallest batches."""

import numpy as np

from commands import CommandTest
from harness import BAD_INPUT, BUG, USAGE, main, saved


class HelpTest(CommandTest):
    COMMANDS = ["init", "forward", "backward", "stats", "calibrate", "compare", "verify"]

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

    def test_what_cannot_happen_is_called_a_bug(self):
        # An exception of the standard library's that nobody foresees: a string made of a null pointer.
        self.fails(BUG, "stats", "missing.npy", env=self.preload(SHIM_NO_STRERROR=1), mentions="bn: this is a bug in bn: ")

    def test_no_command_at_all_is_a_usage_error(self):
        self.fails(USAGE, mentions="--help")


class RunFlagsTest(CommandTest):
    def test_progress_and_fsync_flags_change_no_byte(self):
        plain = saved(self.forward())
        for flags in (["--fsync"], ["--no-progress"], ["--threads", "2"], ["--quiet"]):
            self.assertEqual(saved(self.forward(*flags)), plain)

    def test_a_flag_and_its_value_may_be_one_word(self):
        self.silent("forward", "x.npy", "--state=state.json", "-oy.npy", "--mode=test")
        self.assert_y(self.load("y.npy"), mode="test")

    def test_ordinary_runs_are_silent(self):
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy")
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
        self.silent("backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy")


class SmallBatchesTest(CommandTest):
    """Forward and backward of the same small batch."""

    def test_one_value_per_channel_cannot_be_trained_on_but_can_be_normalised_in_test_mode(self):
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


if __name__ == "__main__":
    main()
