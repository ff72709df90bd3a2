"""Runs the real program in a directory of its own, and compares the whole directory before and after.

The program's path comes in as the environment variable BN. BN_SANITIZED=1 says that it was built with
a sanitizer, whose own memory and preloading rule some tests out. BN_SKIP_IS_FAILURE=1 turns every
skipped test into a failed one.
"""

import hashlib
import io
import json
import os
import pty
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

import numpy as np

BN = os.path.abspath(os.environ.get("BN", "bn"))
SANITIZED = os.environ.get("BN_SANITIZED", "") not in ("", "0")
HERE = os.path.dirname(os.path.abspath(__file__))
GOLDENS = os.path.join(os.path.dirname(HERE), "goldens")

# Exit codes.
DONE, DIFFERS, USAGE, BAD_INPUT, SYSTEM, BUG = 0, 1, 2, 3, 4, 70

# A user without processes: a limit on their number would count those of somebody's daemon, too.
NOBODY = 10000 + os.getpid() % 50000


class Run:
    """What one run left behind: returncode (negative: the signal), stdout (bytes), stderr (text)."""

    def __init__(self, returncode, stdout, stderr):
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr.decode("utf-8", "backslashreplace")

    def lines(self):
        return self.stderr.splitlines()

    def first_line(self):
        return (self.lines() or ["no message, exit code %d" % self.returncode])[0]


def snapshot(directory):
    """{relative name: (mode, inode, links, content)} of everything under the directory."""
    entries = {}
    root = os.fsencode(directory)
    for path, directories, files in os.walk(root):
        for name in directories + files:
            full = os.path.join(path, name)
            status = os.lstat(full)
            content = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(full)
            elif stat.S_ISREG(status.st_mode):
                try:
                    with open(full, "rb") as file:
                        content = hashlib.sha256(file.read()).hexdigest()
                except PermissionError:
                    content = "unreadable"
            entries[os.path.relpath(full, root)] = (
                stat.filemode(status.st_mode), status.st_ino, status.st_nlink, content)
    return entries


def saved(array):
    """The bytes that numpy.save writes."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def loaded(data):
    return np.load(io.BytesIO(data))


def npy(header, payload=b"", version=(1, 0), length=None):
    """An .npy file built by hand; `length` overrides the header length that is written down."""
    if isinstance(header, str):
        header = header.encode("latin-1")
    width = 2 if version[0] == 1 else 4
    size = len(header) if length is None else length
    return b"\x93NUMPY" + bytes(version) + size.to_bytes(width, "little") + header + payload


def header_of(array):
    """The header text of an array, without padding, as NumPy spells it."""
    return "{'descr': %r, 'fortran_order': %r, 'shape': %r, }" % (
        array.dtype.str, array.flags.f_contiguous and not array.flags.c_contiguous, array.shape)


class BnTest(unittest.TestCase):
    """Every test has a fresh directory, self.dir, in which the program runs."""

    maxDiff = 2000

    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="bn-test-"))
        self.addCleanup(self._remove)
        self.random = np.random.default_rng(20150211)

    def _remove(self):
        for path, directories, _ in os.walk(self.dir):
            for name in directories:
                full = os.path.join(path, name)
                if not os.path.islink(full):
                    os.chmod(full, 0o700)
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- files -------------------------------------------------------------------------------

    def path(self, name=""):
        if isinstance(name, bytes):
            return os.path.join(os.fsencode(self.dir), name)
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        return name

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def save(self, name, array):
        return self.write(name, saved(np.asarray(array)))

    def load(self, name):
        return np.load(self.path(name))

    def state(self, name="state.json", **keys):
        """Writes a state file with exactly these keys."""
        return self.write(name, json.dumps(keys))

    def json(self, name):
        return json.loads(self.read(name))

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def snapshot(self):
        return snapshot(self.dir)

    # ---- runs --------------------------------------------------------------------------------

    def run_program(self, command, stdin=b"", env=None, limits=(), before=None, **more):
        """Runs any command in the directory. limits: (resource, value) pairs, soft and hard."""

        def prepare():
            for which, value in limits:
                resource.setrlimit(which, (value, value))
            if before:
                before()

        if limits or before:
            more["preexec_fn"] = prepare  # takes a fork of Python, several times as slow as without
        environment = dict(os.environ, **(env or {}))
        feed = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("timeout", 120)
        more.setdefault("cwd", self.dir)
        done = subprocess.run(command, stderr=subprocess.PIPE, env=environment, **feed, **more)
        return Run(done.returncode, done.stdout if done.stdout is not None else b"", done.stderr)

    def bn(self, *arguments, program=None, prefix=(), **more):
        """Runs bn, whatever comes of it."""
        command = [*prefix, program or BN, *[a if isinstance(a, bytes) else str(a) for a in arguments]]
        return self.run_program(command, **more)

    def ok(self, *arguments, **more):
        """Runs bn, which has to succeed."""
        run = self.bn(*arguments, **more)
        self.assertEqual(run.returncode, DONE, (arguments, run.stderr))
        return run

    def silent(self, *arguments, **more):
        """Runs bn, which has to succeed without a word."""
        run = self.ok(*arguments, **more)
        self.assertEqual(run.stderr, "", arguments)
        return run

    def check_failure(self, run, code, before, mentions=(), what=None):
        """A failure: this exit code, one line on stderr, nothing on stdout, nothing changed."""
        self.assertEqual(run.returncode, code, (what, run.stderr))
        self.assertEqual(run.stdout, b"", what)
        self.assertEqual(len(run.lines()), 1, (what, run.stderr))
        self.assertTrue(run.stderr.endswith("\n"), (what, run.stderr))
        self.assertTrue(run.stderr.startswith("bn: "), (what, run.stderr))
        for mention in [mentions] if isinstance(mentions, str) else mentions:
            self.assertIn(mention, run.stderr, what)
        self.assertEqual(self.snapshot(), before, what)
        return run.stderr

    def fails(self, code, *arguments, mentions=(), **more):
        """Runs bn, which has to fail with this exit code and change nothing; the error line."""
        before = self.snapshot()
        run = self.bn(*arguments, **more)
        return self.check_failure(run, code, before, mentions, arguments)

    # ---- arrays ------------------------------------------------------------------------------

    def assert_bits(self, got, want, what=None):
        """Equal in dtype, shape and every bit; but a NaN is a NaN, whichever."""
        self.assertEqual((got.dtype.name, got.shape), (want.dtype.name, want.shape), what)
        bits = "u%d" % want.dtype.itemsize
        same = np.ascontiguousarray(got).view(bits) == np.ascontiguousarray(want).view(bits)
        different = np.argwhere(~(same | (np.isnan(got) & np.isnan(want))))
        if len(different):
            at = tuple(different[0].tolist())
            self.fail("%d of %d differ, at %s: %s instead of %s (%s)" % (
                len(different), want.size, at, float(got[at]).hex(), float(want[at]).hex(), what))

    # ---- surroundings ------------------------------------------------------------------------

    def skip(self, reason):
        if os.environ.get("BN_SKIP_IS_FAILURE", "") not in ("", "0"):
            self.fail("would be skipped: " + reason)
        print("\nskipped: %s: %s" % (self.id(), reason), flush=True)
        self.skipTest(reason)

    def need(self, *programs):
        for program in programs:
            if not shutil.which(program):
                self.skip("%s is not installed" % program)

    def need_strace(self):
        """strace that is allowed to trace: some containers forbid ptrace."""
        self.need("strace")
        self.need_no_sanitizer("it makes hundreds of system calls of its own")
        run = self.run_program(["strace", "-qq", "-o", os.devnull, "true"])
        if run.returncode != 0:
            self.skip("strace may not trace here: " + run.first_line())

    def terminal(self):
        """The descriptor of a terminal that nobody types at."""
        return self.terminal_ends()[1]

    def terminal_ends(self):
        """The descriptors of who sits at a terminal, and of the terminal."""
        try:
            leader, follower = pty.openpty()
        except OSError as error:
            self.skip("no terminal can be opened (is devpts mounted on /dev/pts?): %s" % error)
        self.addCleanup(os.close, leader)
        self.addCleanup(os.close, follower)
        return leader, follower

    def need_space(self, size):
        status = os.statvfs(self.dir)
        if status.f_bavail * status.f_frsize < size:
            self.skip("less than %d MiB free in %s" % (size >> 20, os.path.dirname(self.dir)))

    def need_no_sanitizer(self, why):
        if SANITIZED:
            self.skip("built with a sanitizer: " + why)

    def as_ordinary_user(self):
        """(prefix, program) that run bn without root's right to ignore permissions."""
        if os.geteuid() != 0:
            return [], BN
        self.need("setpriv")
        program = self.path("../" + os.path.basename(self.dir) + ".bn")
        shutil.copy(BN, program)
        os.chmod(program, 0o755)
        self.addCleanup(os.unlink, program)
        for path, directories, files in os.walk(self.dir):
            os.chown(path, NOBODY, NOBODY)
            for name in directories + files:
                os.chown(os.path.join(path, name), NOBODY, NOBODY, follow_symlinks=False)
        prefix = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
        # The path to the temporary directory may be closed to others, and root may be one in name only.
        run = self.run_program([*prefix, program, "--version"])
        if run.returncode != DONE:
            self.skip("bn cannot be run as another user in %s: %s" % (self.dir, run.first_line()))
        return prefix, program

    def preload(self, **settings):
        """The environment in which tests/cli/shim.c stands between bn and the C library."""
        self.need_no_sanitizer("its runtime has to be loaded first")
        library = os.environ.get("BN_SHIM")
        if not library:
            self.need("cc")
            library = os.path.join(tempfile.gettempdir(), "bn-shim-%d.so" % os.getpid())
            if not os.path.exists(library):
                subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library,
                                os.path.join(HERE, "shim.c"), "-ldl"], check=True)
                import atexit
                atexit.register(os.unlink, library)
        # Its folder apart: a space ends a name in LD_PRELOAD.
        folder, name = os.path.split(os.path.abspath(library))
        return dict({"LD_PRELOAD": name, "LD_LIBRARY_PATH": folder}, **{k: str(v) for k, v in settings.items()})


def died_of(returncode):
    """The name of the signal that ended a process, or None."""
    return signal.Signals(-returncode).name if returncode < 0 else None


def main():
    unittest.main(verbosity=2)
