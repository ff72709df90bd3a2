"""Cases 93, 99, 101 and 102: slips on the command line, and messages that say what to do."""

import re

from commands import CommandTest
from harness import USAGE, main

# A command line of each command that is right, by words.
RIGHT = {"init": ["--channels", "3", "-o", "new.json"],
         "forward": ["x.npy", "--state", "state.json", "-o", "y.npy"],
         "backward": ["dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy"],
         "stats": ["x.npy", "-o", "part.json"],
         "calibrate": ["x.npy", "--state", "state.json"]}


class EmptyValuesTest(CommandTest):
    def flags(self, command):
        """{flag: whether it takes a value}, from the help."""
        text = self.ok(command, "--help").stdout.decode()
        flags = dict((name, bool(kind)) for name, kind in re.findall(r"^  (--?[a-z][a-z-]*)( \S+)?", text, re.MULTILINE))
        flags.pop("-h", None)
        self.assertIn("--verbose", flags)
        return flags

    def test_case_93_an_empty_value_of_any_flag_is_refused_by_the_name_of_the_flag(self):
        for command, right in RIGHT.items():
            for flag, takes_value in self.flags(command).items():
                at = right.index(flag) if flag in right else len(right)
                before, behind = right[:at], right[at + 2:]
                for slip in ([[flag + "="], [flag, ""]] if takes_value else [[flag + "="]]):
                    with self.subTest(command=command, slip=slip):
                        # The word behind is what the flag would have taken for its value.
                        for words in ([*before, *slip, *behind], [*before, *slip, "--verbose", *behind]):
                            message = self.fails(USAGE, command, *words, mentions="bn: " + flag + " ")
                            self.assertIn("empty" if takes_value else "takes no value", message)

    def test_case_93_no_file_is_named_like_a_flag(self):
        line = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json"]
        self.fails(USAGE, *line, "--dx=", "--dgamma=dg.npy", mentions="--dx is given an empty value")
        self.fails(USAGE, *line, "--dx", "--dgamma=dg.npy", mentions=["--dx needs a value", "--dgamma=dg.npy", "./"])
        self.fails(USAGE, *line, "--dx", "--", mentions="--dx needs a value")
        self.ok(*line, "--dx=--dgamma=dg.npy")
        self.assertTrue(self.exists("--dgamma=dg.npy"))

    def test_case_93_a_short_flag_with_an_equals_sign_is_refused_with_what_is_meant(self):
        self.fails(USAGE, "forward", "x.npy", "--state", "state.json", "-o=y.npy", mentions=["-o y.npy", "./=y.npy"])
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "=y.npy")
        self.assertTrue(self.exists("=y.npy"))

    def test_case_93_an_empty_argument_is_refused(self):
        for command, right in RIGHT.items():
            for words in (["", *right], [*right, ""], [*right, "--", ""]):
                self.fails(USAGE, command, *words, mentions="empty")
            self.fails(USAGE, "", command, *right, mentions="the command is empty")
        self.fails(USAGE, "", mentions="the command is empty")


if __name__ == "__main__":
    main()
