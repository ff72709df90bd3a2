#!/usr/bin/python3
"""Puts one-line mistakes into src, one at a time, and tells which of them no test notices.

    tests/mutants/run.py                     all of them: about an hour on two cores
    tests/mutants/run.py src/io/files json   those with one of the words in their file or description
    tests/mutants/run.py --check             only whether each still applies, as ctest does

The mistakes are listed in the .txt files beside this one, as hunks of a unified diff without line
numbers: context and old lines together occur exactly once in the file. Each is applied in a scratch
copy of this tree, which is built as far as it changed; the nearest tests run first, and all if these
notice nothing. An entry with a line "equivalent: reason" is one that nothing can notice, and
that the nearest tests alone are asked about.

A skipped test notices nothing, so none may be skipped: it takes root and a terminal, as CI's main job
does.

Exit status: 0 if all are noticed but the equivalent ones, 1 if not, 2 if an entry is wrong (it does
not apply any more, does not build, or names tests that do not exist or fail without it), or if they
cannot be tried.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import filecmp
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What takes longer never ends; ctest would see that, too, by the limits of its tests.
NEAR_SECONDS = 600
ALL_SECONDS = 1800
NEAREST = "the nearest tests"


@dataclasses.dataclass
class Mutant:
    file: str
    description: str = ""
    tests: str = ""
    equivalent: str = ""
    hunk: list = dataclasses.field(default_factory=list)

    def __str__(self):
        return f"{self.file}: {self.description}"

    def side(self, signs):
        return "".join(line[1:] + "\n" for line in self.hunk if line[0] in signs)

    def apply(self, text):
        """The text with the mistake; ValueError if it does not apply exactly once."""
        old, new = self.side(" -"), self.side(" +")
        if old == new:
            raise ValueError(f"{self}: changes nothing")
        found = ("\n" + text).count("\n" + old)
        if found != 1:
            raise ValueError(f"{self}: its lines occur {found} times in the file")
        start = ("\n" + text).index("\n" + old)
        return text[:start] + new + text[start + len(old):]


def parse(text, name):
    mutants = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("== "):
            mutants.append(Mutant(line[3:]))
            continue
        if not line.strip():
            continue
        if not mutants:
            raise ValueError(f"{name}:{number}: a line before the first ==")
        mutant = mutants[-1]
        key, _, value = line.partition(": ")
        if not mutant.description:
            mutant.description = line
        elif line[0] in " -+":
            mutant.hunk.append(line)
        elif key in ("tests", "equivalent"):
            setattr(mutant, key, value)
        else:
            raise ValueError(f"{name}:{number}: what is this? {line}")
    for mutant in mutants:
        if not (mutant.description and mutant.tests and mutant.hunk):
            raise ValueError(f"{name}: {mutant}: needs a description, tests and a hunk")
        try:
            re.compile(mutant.tests)
            mutant.apply((ROOT / mutant.file).read_text(encoding="utf-8"))
        except (OSError, re.error) as error:
            raise ValueError(f"{mutant}: {error}") from error
    return mutants


def listed(words):
    mutants = []
    for path in sorted(HERE.glob("[a-z]*.txt")):
        mutants += parse(path.read_text(encoding="utf-8"), path.name)
    seen = collections.Counter(map(str, mutants))
    for name, times in seen.items():
        if times > 1:
            raise ValueError(f"{name}: is listed {times} times")
    if words:
        mutants = [m for m in mutants if any(word in str(m) for word in words)]
    if not mutants:
        raise ValueError("no entry has one of these words")
    return mutants


def environment():
    """That of tests/run.sh, in which a skipped test is a failure."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BN"))}
    return kept | {"BN_SKIP_IS_FAILURE": "1"}


def kill(process):
    """With all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Copy:
    """A scratch copy of the tree and its build; used by one thread at a time."""

    running = set()
    ending = False
    lock = threading.Lock()

    def __init__(self, directory, jobs):
        self.tree = directory
        self.build = directory / "build"
        self.jobs = jobs
        self.mutated = None  # the file
        self.original = ""  # its text
        files = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True,
                               stdout=subprocess.PIPE, text=True).stdout.split("\0")
        files = {name for name in files if name and (ROOT / name).exists()}
        for name in files:
            target = self.tree / name
            if not target.exists() or not filecmp.cmp(ROOT / name, target, shallow=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        for path in self.tree.rglob("*"):
            if self.build not in path.parents and path.is_file() and \
                    str(path.relative_to(self.tree)) not in files:
                path.unlink()

    def run(self, seconds, *command):
        """The exit status (None: it took too long) and what was printed."""
        with Copy.lock:
            if Copy.ending:
                raise KeyboardInterrupt
            process = subprocess.Popen(command, cwd=self.tree, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                       errors="replace", start_new_session=True, env=environment())
            Copy.running.add(process)
        status = None
        try:
            output = process.communicate(timeout=seconds)[0]
            status = process.returncode
        except subprocess.TimeoutExpired:
            kill(process)
            output = process.communicate()[0]
        except BaseException:
            kill(process)
            raise
        finally:
            with Copy.lock:
                Copy.running.discard(process)
        if Copy.ending:
            raise KeyboardInterrupt
        return status, output

    @staticmethod
    def end_all():
        with Copy.lock:
            Copy.ending = True
            for process in Copy.running:
                kill(process)

    def make(self, *targets):
        """What went wrong, or nothing."""
        command = ["cmake", "--build", self.build, "--parallel", str(self.jobs)]
        status, output = self.run(None, *command, *(["--target", *targets] if targets else []))
        return output if status != 0 else None

    def ctest(self, seconds, *arguments):
        """The names of the tests that failed, or None if it did not end."""
        status, output = self.run(seconds, "ctest", "--test-dir", self.build, *arguments)
        if status is None:
            return None
        failed = re.findall(r"^ *\d+/\d+ Test +#\d+: (.*?) \.*\*\*\*", output, re.MULTILINE)
        return failed or ([] if status == 0 else ["ctest"])

    def prepare(self):
        # Quick to build; the bits of the results do not depend on it.
        status, output = self.run(None, "cmake", "-S", self.tree, "-B", self.build, "-DBN_TESTS=ON",
                                  "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1")
        problem = output if status != 0 else self.make()
        if problem:
            raise ValueError(f"{self.tree} does not build:\n{problem}")

    def check(self, mutants):
        """Sees that the nearest tests exist, and pass while nothing is wrong."""
        listing = self.run(None, "ctest", "--test-dir", self.build, "-N")[1]
        names = re.findall(r"^ *Test +#\d+: (.*)$", listing, re.MULTILINE)
        nameless = [f"{mutant}: no test has a name like {mutant.tests}" for mutant in mutants
                    if not any(re.search(mutant.tests, name) for name in names)]
        if nameless:
            raise ValueError("\n".join(nameless))
        every = "|".join(sorted({f"({mutant.tests})" for mutant in mutants}))
        failed = self.ctest(ALL_SECONDS, "-j", str(os.cpu_count()), "-R", every)
        if failed != []:
            raise ValueError(f"without any mistake these fail, or are skipped: {failed}")

    def write(self, text):
        (self.tree / self.mutated).write_text(text, encoding="utf-8")

    def mutate(self, mutant):
        if self.mutated != mutant.file:
            self.restore()
            self.mutated = mutant.file
            self.original = (self.tree / mutant.file).read_text(encoding="utf-8")
        self.write(mutant.apply(self.original))

    def restore(self):
        if self.mutated:
            self.write(self.original)
            self.mutated = None

    def judge(self, mutant):
        """How it was noticed: empty if it was not. ValueError if that cannot be said."""
        self.mutate(mutant)
        problem = self.make(*targets(mutant.tests))
        if problem:
            raise ValueError(f"{mutant}: does not build:\n{problem}")
        failed = self.ctest(NEAR_SECONDS, "--stop-on-failure", "-R", mutant.tests)
        if failed is None:
            return "the nearest tests, which do not end"
        if failed:
            return NEAREST
        if mutant.equivalent:
            return ""
        problem = self.make()
        if problem:
            raise ValueError(f"{mutant}: does not build:\n{problem}")
        # All but the one that sees that the entries apply: where one is applied, it does not.
        failed = self.ctest(ALL_SECONDS, "--stop-on-failure", "-E", "^mutants[.]")
        if failed is None:
            return "all tests, which do not end"
        if failed:
            self.restore()
            self.make()
            same = "|".join(re.escape(name) for name in failed)
            if self.ctest(ALL_SECONDS, "-R", f"^({same})$") != []:
                raise ValueError(f"{mutant}: {', '.join(failed)} fails without it, too")
        return ", ".join(failed)


def targets(tests):
    """What has to be built for these tests; nothing stands for all."""
    for start, needed in {"^bn[.]": ["bn_tests"], "^hostile[.]": ["bn_hostile"],
                          "^io: ": ["bn_io_tests"], "^cli: ": ["bn_cli_tests"],
                          "^cli[.]": ["bn_cli", "bn_shim"], "^bits[.]": ["bn_digest"]}.items():
        if tests.startswith(start) and "|" not in tests:
            return needed
    return []


def run_all(mutants, scratch, workers):
    """Prints how each fared; returns what is wrong with the tests, and what with the entries."""
    jobs = max(1, (os.cpu_count() or 1) // workers)
    copies = queue.Queue()
    for number in range(workers):
        copy = Copy(scratch / str(number), os.cpu_count() or 1)
        copy.prepare()
        if number == 0:
            copy.check(mutants)
        copy.jobs = jobs
        copies.put(copy)

    # One copy takes all of a file: every change of file costs one more compilation.
    files = collections.defaultdict(list)
    for mutant in mutants:
        files[mutant.file].append(mutant)
    survivors, problems = [], []
    done = 0

    def judge_file(of_file):
        nonlocal done
        copy = copies.get()
        try:
            for mutant in of_file:
                start = time.monotonic()
                try:
                    noticed = copy.judge(mutant)
                    outcome = "noticed" if noticed else "equivalent" if mutant.equivalent else "SURVIVES"
                    if outcome == "SURVIVES":
                        survivors.append(f"no test notices: {mutant}")
                    elif noticed and mutant.equivalent:
                        problems.append(f"is noticed by {noticed}, so it is not equivalent: {mutant}")
                except ValueError as error:
                    noticed, outcome = "", "WRONG"
                    problems.append(str(error))
                done += 1
                by = f" [by {noticed}]" if noticed not in ("", NEAREST) else ""
                seconds = time.monotonic() - start
                print(f"{done:4}/{len(mutants)} {seconds:4.0f} s  {outcome:10} {mutant}{by}", flush=True)
        finally:
            copies.put(copy)

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            for future in [pool.submit(judge_file, of_file) for of_file in files.values()]:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            Copy.end_all()
            raise
    return survivors, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="*", help="only entries with one of these in file or description")
    parser.add_argument("--check", action="store_true", help="only whether each applies")
    parser.add_argument("--scratch", type=pathlib.Path, help="where the copies are kept for the next run")
    parser.add_argument("-j", type=int, default=os.cpu_count(), metavar="N", help="copies at once")
    arguments = parser.parse_args()
    # Ended in whatever way, it takes the builds and tests along.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)

    try:
        mutants = listed(arguments.words)
        if arguments.check:
            print(f"{len(mutants)} mistakes apply")
            return 0
        scratch = arguments.scratch or pathlib.Path(tempfile.mkdtemp(prefix="bn-mutants-"))
        try:
            survivors, problems = run_all(mutants, scratch.resolve(), max(1, min(arguments.j, len(mutants))))
        finally:
            if not arguments.scratch:
                shutil.rmtree(scratch, ignore_errors=True)
    except (ValueError, OSError, subprocess.SubprocessError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    print(*survivors, *problems, sep="\n")
    print(f"{len(mutants)} mistakes: {len(survivors)} survive, {len(problems)} entries are wrong")
    return 2 if problems else 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
