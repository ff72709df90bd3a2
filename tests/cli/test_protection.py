"""Cases 89 to 91 and 98: no slip destroys a file, and a file of the wrong kind is named by its kind."""

import itertools
import os
import resource
import subprocess

import numpy as np

from commands import STATE, CommandTest
from harness import BAD_INPUT, BN, USAGE, main

ARRAY, A_STATE, A_CACHE, A_PART = "a .npy array", "a state", "a cache of bn forward", "a part of bn stats"


class ProtectionTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.save("old.npy", np.zeros((5, 3)))
        self.state("old.json", **STATE)
        self.silent("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--cache", "cache.json", "--no-update")
        self.silent("stats", "x.npy", "-o", "part.json")
        self.write("other.json", '{"mode": "train", "momentum": 0.9, "eps": 1e-5, "lr": 0.1}')
        self.write("notes.txt", "to be kept")
        self.write("empty", "")

    FORWARD = ("forward", "x.npy", "--state", "state.json")
    BACKWARD = ("backward", "dy.npy", "--x", "x.npy", "--state", "state.json")

    # What each file is, and by which command each kind is written to a file.
    FILES = {"old.npy": ARRAY, "old.json": A_STATE, "cache.json": A_CACHE, "part.json": A_PART}
    WRITERS = ((ARRAY, (*FORWARD, "-o")), (ARRAY, (*BACKWARD, "--dx")), (ARRAY, (*BACKWARD, "--dgamma")),
               (ARRAY, (*BACKWARD, "--dbeta")), (A_CACHE, (*FORWARD, "-o", "z.npy", "--cache")),
               (A_STATE, (*FORWARD, "-o", "z.npy", "--state-out")), (A_PART, ("stats", "x.npy", "-o")))

    def test_case_98_a_file_of_the_wrong_kind_is_named_by_its_kind(self):
        readers = {
            ARRAY: (("forward", "FILE", "--state", "state.json", "-o", "z"), ("init", "--gamma", "FILE", "-o", "z"),
                    ("backward", "FILE", "--x", "x.npy", "--state", "state.json", "--dx", "z"),
                    ("backward", "dy.npy", "--x", "FILE", "--state", "state.json", "--dx", "z")),
            A_STATE: (("forward", "x.npy", "--state", "FILE", "-o", "z"), ("calibrate", "x.npy", "--state", "FILE"),
                      ("backward", "dy.npy", "--x", "x.npy", "--state", "FILE", "--dx", "z")),
            A_CACHE: (("backward", "dy.npy", "--x", "x.npy", "--cache", "FILE", "--dx", "z"),),
            A_PART: (("stats", "FILE", "-o", "z"), ("calibrate", "FILE", "--state", "state.json")),
        }
        for expected, commands in readers.items():
            for command, (name, found) in itertools.product(commands, self.FILES.items()):
                if found == expected or (expected, found) == (A_PART, ARRAY):
                    continue
                with self.subTest(command=command, name=name):
                    message = self.fails(BAD_INPUT, *[name if a == "FILE" else a for a in command])
                    self.assertEqual(message, "bn: %s: is %s, not %s\n" % (
                        name, found, expected + (" --cache" if expected == A_CACHE else "")))

    def test_case_98_a_gamma_of_the_state_that_is_no_array_is_named_by_its_kind(self):
        self.state("ref.json", **dict(STATE, gamma="cache.json"))
        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "ref.json", "-o", "z",
                   mentions="ref.json: gamma: ./cache.json: is a cache of bn forward, not a .npy array")

    def test_case_98_what_comes_through_a_pipe_is_named_as_far_as_it_tells(self):
        self.fails(BAD_INPUT, "forward", "-", "--state", "state.json", "-o", "z", stdin=self.read("state.json"),
                   mentions="standard input: is JSON, not a .npy array")
        self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--cache", "-", "--dx", "z",
                   stdin=self.read("x.npy"), mentions="is a .npy array, not a cache of bn forward --cache")

    def test_case_98_the_nearest_key_is_proposed_only_where_it_is_near(self):
        self.state("near.json", momentun=0.9)
        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "near.json", "-o", "z",
                   mentions='unknown key "momentun"; the nearest valid key is "momentum"')
        self.state("far.json", learning_rate=0.9)
        self.fails(BAD_INPUT, "forward", "x.npy", "--state", "far.json", "-o", "z",
                   mentions='unknown key "learning_rate"; valid keys are mode, axis, eps, ')


if __name__ == "__main__":
    main()
