"""Wall times and peak memory of whole processes, two commands at a time, alternately."""

import contextlib
import dataclasses
import os
import statistics
import time


@dataclasses.dataclass
class Command:
    """A program and its arguments, and the files that it makes."""

    arguments: list
    outputs: list


@dataclasses.dataclass
class Effort:
    """How often to run: rounds of A B, in each of which a side runs for at least `seconds`."""

    rounds: int
    seconds: float


@dataclasses.dataclass
class Comparison:
    """Medians over rounds; the ratio is the median of the ratios of single rounds."""

    ours: float
    theirs: float
    ratio: float
    peak_bytes: int


def remove(paths):
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def run(command):
    """(wall seconds, peak resident bytes). What earlier runs made is removed before the clock
    starts, so that nobody pays for freeing it.

    Linux counts this process's own memory as the child's until exec: keep it small, without NumPy.
    """
    remove(command.outputs)
    start = time.perf_counter()
    pid = os.posix_spawnp(command.arguments[0], command.arguments, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        code = os.waitstatus_to_exitcode(status)
        raise SystemExit(f"bench: exit code {code}: {' '.join(command.arguments)}")
    return seconds, 1024 * usage.ru_maxrss


def run_for(command, at_least):
    """(mean wall seconds of a run, largest peak) of as many runs as that many seconds take."""
    times, peaks = [], []
    while not times or sum(times) < at_least:
        seconds, peak = run(command)
        times.append(seconds)
        peaks.append(peak)
    return statistics.mean(times), max(peaks)


def compare(ours, theirs, effort):
    """A B A B ..., after one run of each that brings files and programs into the page cache."""
    run(ours)
    run(theirs)
    our_times, their_times, peaks = [], [], []
    for _ in range(effort.rounds):
        seconds, peak = run_for(ours, effort.seconds)
        our_times.append(seconds)
        peaks.append(peak)
        their_times.append(run_for(theirs, effort.seconds)[0])
    remove(ours.outputs + theirs.outputs)
    ratios = [a / b for a, b in zip(our_times, their_times)]
    return Comparison(statistics.median(our_times), statistics.median(their_times),
                      statistics.median(ratios), max(peaks))
