"""bench.py [--small] [--dir DIR] [--rounds N]: what run.sh runs once everything is built.

The environment names the programs: BN, and BENCH_MEMORY, which need not exist.
"""

import argparse
import contextlib
import dataclasses
import importlib.util
import math
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile

import machine
from timing import Command, Effort, compare

HERE = os.path.dirname(os.path.abspath(__file__))
BN = os.environ.get("BN", "bn")
BENCH_MEMORY = os.environ.get("BENCH_MEMORY", "bench_memory")
PYTHON = "/usr/bin/python3"

CORES = 2
ELEMENT_BYTES = {"float16": 2, "float32": 4, "float64": 8}
SMALL_ELEMENTS = 1 << 14
TMPFS = "/dev/shm"

NCHW = (64, 64, 112, 112)
ROWS = (200000, 256)
NHWC = (64, 112, 112, 64)
TINY = (128, 100)
AWKWARD = {  # shape: how often along N, for 100 MB
    (32, 512, 7, 7): 32,
    (8, 3, 1024, 1024): 1,
    (1, 64, 1000, 1000): 1,
    (64, 100000): 4,
    (100000, 7): 36,
    (4096, 1, 28, 28): 8,
}


@dataclasses.dataclass
class Bench:
    """One run of everything: where, how long, how large."""

    directory: str
    effort: Effort
    small: bool

    def shape(self, shape):
        """The shape, or one like it of few elements."""
        sizes = list(shape)
        while self.small and math.prod(sizes) > SMALL_ELEMENTS:
            largest = sizes.index(max(sizes))
            sizes[largest] //= 2
        return sizes

    def repeat(self, times):
        return 1 if self.small else times


# Data and commands


class Layer:
    """An array file and the state of a layer for it; the names of what is made of them."""

    def __init__(self, path, axis=1):
        self.x = path
        self.axis = axis
        stem = path.removesuffix(".npy")
        self.state, self.cache = stem + "-state.json", stem + "-cache.json"
        self.dy, self.dx = stem + "-dy.npy", stem + "-dx.npy"
        self.y, self.copy = stem + "-y.npy", stem + "-copy.npy"
        self.dgamma, self.dbeta = stem + "-dgamma.npy", stem + "-dbeta.npy"

    def files(self):
        return [value for value in vars(self).values() if isinstance(value, str)]

    def forward(self, mode):
        """In train mode the state is updated in place, as users have it."""
        return Command([BN, "forward", self.x, "--state", self.state, "-o", self.y,
                        "--mode", mode], [self.y])

    def backward(self):
        return Command([BN, "backward", self.dy, "--x", self.x, "--cache", self.cache,
                        "--dx", self.dx, "--dgamma", self.dgamma, "--dbeta", self.dbeta],
                       [self.dx, self.dgamma, self.dbeta])

    def cp(self):
        return Command(["cp", self.x, self.copy], [self.copy])

    def cp_dy(self):
        return Command(["cp", self.dy, self.copy], [self.copy])

    def script(self, name):
        return Command([PYTHON, "-B", os.path.join(HERE, name), self.x, self.copy], [self.copy])

    def make_cache(self):
        subprocess.run([BN, "forward", self.x, "--state", self.state, "-o", self.y, "--mode",
                        "train", "--no-update", "--cache", self.cache], check=True)
        os.unlink(self.y)


def make_array(path, shape, dtype="float32", seed=1, repeat=1):
    """In a process of its own: see timing.run() about memory."""
    subprocess.run([PYTHON, "-B", os.path.join(HERE, "make_array.py"), path, dtype, str(seed),
                    str(repeat), *map(str, shape)], check=True)


@contextlib.contextmanager
def layer(bench, shape, dtype="float32", axis=1, repeat=1, directory=None):
    """A Layer whose array exists while the block runs."""
    with tempfile.TemporaryDirectory(dir=directory or bench.directory) as own:
        made = Layer(os.path.join(own, "x.npy"), axis)
        shape = bench.shape(shape)
        make_array(made.x, shape, dtype, repeat=bench.repeat(repeat))
        subprocess.run([BN, "init", "--preset", "pytorch", "--channels", str(shape[axis]),
                        "--axis", str(axis), "--running-mean", "0.75", "--running-var", "1",
                        "-o", made.state], check=True)
        yield made


# Tables


def print_row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def print_header(*names):
    print()
    print_row(*names)
    print_row(*("---" for _ in names))


def verdict(ratio, at_most):
    return "yes" if ratio <= at_most else "**no**"


def milliseconds(seconds):
    return f"{1e3 * seconds:.1f} ms"


def files_row(work, against, comparison, at_most):
    print_row(work, against, milliseconds(comparison.ours), milliseconds(comparison.theirs),
              f"{comparison.ratio:.2f}", "" if at_most is None else f"{at_most}",
              "" if at_most is None else verdict(comparison.ratio, at_most),
              f"{comparison.peak_bytes / 2**20:.0f} MiB")


def size_text(shape, dtype, repeat=1):
    total = math.prod(shape) * repeat * ELEMENT_BYTES[dtype]
    times = f" x {repeat}" if repeat > 1 else ""
    unit = f"{total / 1e6:.0f} MB" if total >= 1e6 else f"{total / 1e3:.0f} KB"
    return f"{dtype} ({', '.join(map(str, shape))}){times}, {unit}"


# Rows of whole processes


def bench_nchw(bench):
    """And what is compared with this array."""
    shape = bench.shape(NCHW)
    size = size_text(shape, "float32")
    with layer(bench, NCHW) as nchw:
        files_row(f"forward train, {size}", "`cp`",
                  compare(nchw.forward("train"), nchw.cp(), bench.effort), 0.9)
        files_row(f"forward test, {size}", "`cp`",
                  compare(nchw.forward("test"), nchw.cp(), bench.effort), 0.7)
        bench_awkward(bench, nchw)
        files_row(f"forward train, {size}", "NumPy",
                  compare(nchw.forward("train"), nchw.script("numpy_batch_norm.py"),
                          few_rounds(bench)), 0.2)
        if importlib.util.find_spec("torch"):
            files_row(f"forward train, {size}", "PyTorch",
                      compare(nchw.forward("train"), nchw.script("torch_batch_norm.py"),
                              few_rounds(bench)), None)
        bench_backward(bench, nchw, size)


def print_undecided(bench):
    """How many results of ordinary data take longer than others."""
    print_header("of a million results, not certain at first", "decided with about 100 bits", "in exact integers")
    for dtype in ELEMENT_BYTES:
        with layer(bench, NCHW, dtype) as made:
            make_array(made.dy, bench.shape(NCHW), dtype, seed=2)
            made.make_cache()
            million = math.prod(bench.shape(NCHW)) / 1e6
            for name, command in (("y", made.forward("train")), ("dx", made.backward())):
                closer, exact = undecided(command)
                print_row(f"{name}, {dtype}", f"{closer / million:.2f}", f"{exact / million:.2f}")


def undecided(command):
    """What --verbose says of them; nothing where there are none."""
    said = subprocess.run([*command.arguments, "--verbose"], stderr=subprocess.PIPE, text=True, check=True).stderr
    found = re.search(r"(\d+) results? took a closer look, (\d+) of them", said)
    together, exact = map(int, found.groups()) if found else (0, 0)
    return together - exact, exact


def few_rounds(bench):
    """For sides that take seconds."""
    return Effort(min(bench.effort.rounds, 3), 0)


def bench_backward(bench, nchw, size):
    make_array(nchw.dy, bench.shape(NCHW), seed=2)
    nchw.make_cache()
    files_row(f"backward with cache: dx, dgamma, dbeta; {size}", "`cp` of dy",
              compare(nchw.backward(), nchw.cp_dy(), bench.effort), 1.5)


def bench_awkward(bench, nchw):
    """Per byte of x; the times shown are those of the whole files."""
    for shape, times in AWKWARD.items():
        repeat = bench.repeat(times)
        with layer(bench, shape, repeat=repeat) as awkward:
            comparison = compare(awkward.forward("train"), nchw.forward("train"), bench.effort)
            comparison.ratio *= os.path.getsize(nchw.x) / os.path.getsize(awkward.x)
        files_row(f"forward train, {size_text(bench.shape(shape), 'float32', repeat)}",
                  "the first row, per byte", comparison, 1.5)


def bench_against_cp(bench, name, shape, dtype="float32", axis=1, **targets):
    """targets: mode=at_most."""
    with layer(bench, shape, dtype, axis) as made:
        for mode, at_most in targets.items():
            files_row(f"forward {mode}, {name}{size_text(bench.shape(shape), dtype)}", "`cp`",
                      compare(made.forward(mode), made.cp(), bench.effort), at_most)


def bench_tmpfs(bench):
    bytes_needed = 3 * 4 * math.prod(bench.shape(NCHW))
    work = f"forward train on tmpfs, {size_text(bench.shape(NCHW), 'float32')}"
    if not os.access(TMPFS, os.W_OK) or free_bytes(TMPFS) < bytes_needed:
        print_row(work, "`cp`", f"left out: too little room in {TMPFS}", *[""] * 5)
        return
    with layer(bench, NCHW, directory=TMPFS) as made:
        files_row(work, "`cp`", compare(made.forward("train"), made.cp(), bench.effort), 1.2)


def free_bytes(directory):
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def bench_files(bench):
    print_header("work", "against", "`bn`", "other", "ratio", "at most", "met", "peak of `bn`")
    bench_nchw(bench)
    bench_tmpfs(bench)
    bench_against_cp(bench, "", ROWS, train=0.7, test=0.7)
    bench_against_cp(bench, "NHWC ", NHWC, axis=3, train=0.8, test=0.7)
    bench_against_cp(bench, "", NCHW, "float64", train=1.2)
    bench_against_cp(bench, "", NCHW, "float16", train=1.2)
    bench_against_cp(bench, "", TINY, test=2.5)


# Rows of library calls


def bench_memory_lines(bench):
    arguments = ["--small"] if bench.small else ["--rounds", str(bench.effort.rounds)]
    output = subprocess.run([BENCH_MEMORY, *arguments], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    return [line.split("\t") for line in output.splitlines()]


def bench_memory(bench):
    if not os.path.exists(BENCH_MEMORY):
        print("\nLibrary calls in memory: left out, oneDNN is not installed (libdnnl-dev).")
        return
    lines = bench_memory_lines(bench)
    print_library([line[1:] for line in lines if line[0] == "library"])
    print_threads([line[1:] for line in lines if line[0] == "threads"])


def print_library(lines):
    print_header("library call in memory, float32, 2 threads", "`bn`, exact", "oneDNN", "ratio",
                 "at most", "met", "oneDNN's implementation")
    ratios = []
    for direction, layout, shape, ours, theirs, ratio, implementation in lines:
        ratios.append(float(ratio))
        print_row(f"{direction}, {layout} {shape}", f"{float(ours):.2f} ms",
                  f"{float(theirs):.2f} ms", f"{ratios[-1]:.2f}", "1.0", verdict(ratios[-1], 1.0),
                  f"`{implementation}`")
    middle = statistics.median(ratios)
    print_row("median of these", "", "", f"{middle:.2f}", "0.8", verdict(middle, 0.8), "")


def print_threads(lines):
    print_header("threads of `bn` in memory", "2 threads", "1 thread", "times as fast", "at least",
                 "met")
    for direction, layout, shape, both, one, speed_up in lines:
        print_row(f"{direction}, {layout} {shape}", f"{float(both):.1f} ms", f"{float(one):.1f} ms",
                  f"{float(speed_up):.2f}", "1.6", "yes" if float(speed_up) >= 1.6 else "**no**")


def print_torch(bench):
    """By itself, not alternately: one call needs PyTorch's interpreter, the other none."""
    if not importlib.util.find_spec("torch"):
        return
    with layer(bench, NCHW) as nchw:
        script = os.path.join(HERE, "torch_batch_norm.py")
        output = subprocess.run([PYTHON, "-B", script, nchw.x], stdout=subprocess.PIPE, text=True,
                                check=True).stdout
    forward, backward = output.split()
    print(f"\nPyTorch in memory, {size_text(bench.shape(NCHW), 'float32')}, 2 threads: forward "
          f"{forward} ms, backward {backward} ms.")


# The program


def parse():
    parser = argparse.ArgumentParser(description="Compares the speed of bn with that of others.")
    parser.add_argument("--small", action="store_true", help="only to see that it runs")
    parser.add_argument("--dir", default="/var/tmp", help="of the data (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: at least 1")
    return arguments


def print_method(bench):
    own_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"Whole processes, wall time; the two sides alternate, {bench.effort.rounds} round(s), "
          "medians. All files\nare in the page cache; outputs do not exist beforehand. Ratio: "
          f"`bn` / other. Peak: resident memory;\nthis script's own {own_peak:.0f} MiB hide "
          "anything less.")
    if bench.small:
        print("SMALL ARRAYS: these figures mean nothing.")


def main():
    arguments = parse()
    effort = Effort(1, 0) if arguments.small else Effort(arguments.rounds, 0.2)
    os.environ["OMP_NUM_THREADS"] = str(CORES)
    cores = machine.keep_to_cores(CORES)
    with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="bn-bench-") as directory:
        bench = Bench(directory, effort, arguments.small)
        print_method(bench)
        print()
        print("\n".join(machine.description(cores, directory)), flush=True)
        bench_files(bench)
        print_undecided(bench)
        bench_memory(bench)
        print_torch(bench)


if __name__ == "__main__":
    sys.exit(main())
