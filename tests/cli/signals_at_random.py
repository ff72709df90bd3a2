"""Signals at random moments: whatever the moment, all files are old or all are new, and none is left over.

    BN=build/bn python3 tests/cli/signals_at_random.py [--runs 2000] [--kills 500] [--seed N] [DIRECTORY...]

runs bn so often in each directory (default: the temporary one), with one, two and three outputs, new,
replaced and in place, and ends it by every signal that can be caught, and by SIGKILL. That one may leave
a complete file .bn-... behind, in the short time in which the outputs get their names; how often it did
is printed. Not part of ctest, which does the same a few times (test_signals.py).
"""

import argparse
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from harness import BN, died_of, saved

# What ends a process by default and bn catches: see signals.hpp for the others.
CATCHABLE = sorted(signal.valid_signals() - {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGTSTP,
    signal.SIGTTIN, signal.SIGTTOU, signal.SIGXFSZ, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})


def heed_all_signals():
    """What runs in the background or by nohup ignores some, and so would its children, bn among them."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


FORWARD = ["forward", "x.npy", "--state", "state.json", "--quiet", "--threads", "4"]
BACKWARD = ["backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--quiet", "--threads", "4"]
COMMANDS = [
    # One output,
    FORWARD + ["--no-update", "-o", "y.npy"],
    FORWARD + ["--mode", "test", "-o", "x.npy"],
    ["calibrate", "--state", "state.json", "x.npy"],
    ["init", "--channels", "3", "-o", "new.json"],
    # two,
    FORWARD + ["-o", "y.npy"],
    FORWARD + ["-o", "x.npy"],
    FORWARD + ["-o", "old.npy"],
    BACKWARD + ["--dgamma", "old.npy", "--dx", "dy.npy"],
    # three.
    FORWARD + ["-o", "y.npy", "--cache", "cache.json"],
    FORWARD + ["-o", "x.npy", "--cache", "old.json"],
    BACKWARD + ["--dx", "dy.npy", "--dgamma", "old.npy", "--dbeta", "dbeta.npy"],
]


def inputs(shape):
    numbers = np.random.default_rng(20150211)
    x = saved(numbers.normal(0, 1, shape))
    return {"x.npy": x, "dy.npy": saved(numbers.normal(0, 1, shape)), "old.npy": x[:1000], "old.json": b"",
            "state.json": b'{"mode": "train", "running_mean": [0, 0, 0], "running_var": [1, 1, 1]}'}


class Runs:
    def __init__(self, parent, shape=(32, 3, 24, 24), seed=0, env=None):
        self.parent = parent
        self.before = inputs(shape)
        self.random = random.Random(seed)
        self.env = dict(os.environ, **(env or {}))
        self.right, self.seconds = {}, {}
        self.left_over = self.too_late = self.all_new = 0

    def run(self, command, number=None, delay=0.0):
        """(return code, {name: content} afterwards, seconds) of a run in a directory of its own."""
        directory = tempfile.mkdtemp(prefix="bn-random-", dir=self.parent)
        try:
            for name, content in self.before.items():
                with open(os.path.join(directory, name), "wb") as file:
                    file.write(content)
            start = time.perf_counter()
            process = subprocess.Popen([BN, *command], cwd=directory, stderr=subprocess.DEVNULL, env=self.env)
            if number is not None:
                while time.perf_counter() - start < delay:  # sleeping is too coarse
                    pass
                process.send_signal(number)
            code = process.wait()  # with a timeout it would look too seldom
            seconds = time.perf_counter() - start
            files = {}
            for name in os.listdir(directory):
                with open(os.path.join(directory, name), "rb") as file:
                    files[name] = file.read()
            return code, files, seconds
        finally:
            shutil.rmtree(directory)

    def learn(self, which):
        """What a run that nobody disturbs does, and how long it takes while the machine is as busy as now."""
        code, files, self.seconds[which] = self.run(COMMANDS[which])
        assert code == 0 and files == self.right.setdefault(which, files), (COMMANDS[which], code)

    def signalled(self, which, number):
        """One run of a command ended by a signal; what is wrong with it, or None."""
        if self.random.random() < 0.1 or which not in self.right:
            self.learn(which)
        right, whole = self.right[which], self.seconds[which]
        for _ in range(100):
            # Half of them anywhere, half where the end is likely to be.
            delay = whole * self.random.uniform(*self.random.choice([(0, 1), (0.7, 1)]))
            code, files, seconds = self.run(COMMANDS[which], number, delay)
            what = "%s, signal %d after %.3f ms: " % (" ".join(COMMANDS[which]), number, delay * 1e3)
            if code == 0 and files != right:
                return what + "not all new"
            if code != 0:
                break
            # It came too late: the machine is less busy than before.
            self.too_late += 1
            whole = self.seconds[which] = min(whole, (whole + seconds) / 2)
        self.all_new += files == right
        if code != -number:
            return what + "ended by %s" % (died_of(code) or code)
        if number != signal.SIGKILL:
            return None if files in (self.before, right) else what + describe(files, self.before, right)
        return self.after_kill(files, right, what)

    def after_kill(self, files, right, what):
        """Each file is old or new, the state is new only if all are; and only complete files are left over."""
        for name in [name for name in files if name.startswith(".bn-")]:
            self.left_over += 1
            if files.pop(name) not in right.values():
                return what + "an incomplete file is left over"
        for name in {*files, *self.before}:
            if files.get(name) not in (self.before.get(name), right.get(name)):
                return what + "%s is neither old nor new" % name
        new_state = files["state.json"] != self.before["state.json"]
        return what + "the state is new, the rest is not" if new_state and files != right else None


def describe(files, before, right):
    return ", ".join("%s %s" % (name, "same" if files.get(name) == before.get(name) == right.get(name) else
                                "old" if files.get(name) == before.get(name) else
                                "new" if files.get(name) == right.get(name) else "unknown")
                     for name in sorted({*files, *before, *right}))


def plan(count, numbers):
    """(command, signal) so often, all commands and all signals as often as each other."""
    numbers = itertools.cycle(numbers)
    return [(i % len(COMMANDS), next(numbers)) for i in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", metavar="DIRECTORY", nargs="*", default=[tempfile.gettempdir()])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    heed_all_signals()
    wrong = []
    for directory in options.directories:
        for name, count, numbers in (("caught", options.runs, CATCHABLE), ("SIGKILL", options.kills, [signal.SIGKILL])):
            runs = Runs(directory, seed=options.seed)
            found = [runs.signalled(which, number) for which, number in plan(count, numbers)]
            wrong += filter(None, found)
            print("%s, %s: %d runs ended by the signal, %d with everything new, %d files left over, %d wrong; "
                  "%d more were done before it came" % (directory, name, count, runs.all_new, runs.left_over,
                                                         count - found.count(None), runs.too_late), flush=True)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
