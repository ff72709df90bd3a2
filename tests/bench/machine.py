"""What figures depend on besides the code."""

import datetime
import glob
import os
import platform
import re
import subprocess

PACKAGES = ["coreutils", "g++", "python3", "python3-numpy", "python3-torch", "libdnnl2"]


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def cpu_model():
    found = re.search(r"^model name\s*:\s*(.*)$", text_of("/proc/cpuinfo"), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def caches():
    """As in: L1d 32K, L2 1024K; of the first core."""
    named = []
    for index in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(text_of(f"{index}/type"), "")
        named.append(f"L{text_of(index + '/level')}{kind} {text_of(index + '/size')}")
    return ", ".join(named) or "unknown"


def siblings(cpu):
    """The CPUs that are the same core."""
    path = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    return text_of(path) if os.path.exists(path) else str(cpu)


def keep_to_cores(count):
    """From here on this process and its children have that many CPUs, of different cores if there
    are as many. Returns (CPUs now, CPUs before).
    """
    before = sorted(os.sched_getaffinity(0))
    one_a_core = list({siblings(cpu): cpu for cpu in reversed(before)}.values())
    chosen = sorted(one_a_core if len(one_a_core) >= count else before)[:count]
    os.sched_setaffinity(0, chosen)
    return len(chosen), len(before)


def memory():
    kibibytes = int(re.search(r"^MemTotal:\s*(\d+)", text_of("/proc/meminfo")).group(1))
    return f"{kibibytes / 2**20:.0f} GiB"


def file_system(directory):
    """Its type, as mounted."""
    path = os.path.realpath(directory)
    mounts = [line.split()[1:3] for line in text_of("/proc/mounts").splitlines()]
    holding = [(len(point), kind) for point, kind in mounts
               if os.path.commonpath([point, path]) == point]
    return sorted(holding, key=lambda mount: mount[0])[-1][1] if holding else "unknown"


def package_versions():
    """As in: coreutils 9.1-1, of those that are installed."""
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *PACKAGES],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    lines = [line.split() for line in query.stdout.splitlines()]
    return ", ".join(f"{name} {version}" for status, name, version in lines
                     if status == "installed")


def description(cores, directory):
    """Lines of Markdown."""
    now, before = cores
    return [
        f"- CPU: {cpu_model()}; caches {caches()}; {now} of {before} CPUs used; {memory()} memory",
        f"- Linux {platform.release()}; data on {file_system(directory)}",
        f"- load average at the start: {os.getloadavg()[0]:.1f}",
        f"- versions: {package_versions()}",
        f"- date: {datetime.date.today().isoformat()}",
    ]
