"""A mount namespace of the test's own, to run bn in: with a small file system, without /proc."""

import os
import subprocess


class Namespace:
    """Runs `setup` (shell, with $1 the directory) in a new mount namespace and keeps it until close().

    prefix: runs a command inside, in the directory. root: the directory as seen from outside.
    """

    def __init__(self, test, setup):
        test.need("unshare", "nsenter", "mount")
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        self.process = subprocess.Popen(
            [*unshare, "sh", "-ec", setup + "\necho ready; read line", "sh", test.dir],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        test.addCleanup(self.close)
        if self.process.stdout.readline() != b"ready\n":
            reason = self.process.communicate()[1].decode("utf-8", "replace").splitlines()
            test.skip("no mount namespace: " + (reason or ["no message"])[0])
        pid = str(self.process.pid)
        # -r: entering a mount namespace alone leaves a chroot.
        self.prefix = ["nsenter", "-t", pid, "-m", "-r", "sh", "-c", 'cd "$0" && exec "$@"', test.dir]
        if os.geteuid() != 0:
            self.prefix[3:3] = ["-U", "--preserve-credentials"]
        self.root = "/proc/%s/root%s" % (pid, test.dir)

    def close(self):
        if self.process.poll() is None:
            self.process.communicate(b"\n")
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
