"""Runs the examples of README.md: every line that begins with "$ " in a console block, in order, in
one directory with the sample arrays, and compares what it prints. "..." stands for anything within a
line. Compares the table of presets with what `bn init` writes, and that of mistakes with the source.
BN names the program.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def examples(text):
    """[(line number, command, expected output)]."""
    found = []
    block = None
    for number, line in enumerate(text.splitlines(), 1):
        if block is None:
            if line == "```console":
                block = []
        elif line == "```":
            found += block
            block = None
        elif line.startswith("$ "):
            block.append((number, line[2:], []))
        elif line.startswith("> "):
            number, command, expected = block.pop()
            block.append((number, command + "\n" + line[2:], expected))
        else:
            block[-1][2].append(line)
    return found


def matches(line, expected):
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), line) is not None


def wrong_presets(text):
    """Lines about presets whose row of the table is not the state that they give."""
    rows = re.findall(r"^\| `([a-z0-9-]+)`[^|]*\| ([^|]*) \| ([^|]*), ([a-z]+) \| ([a-z]+) \| (-?1) \| (.*), (.*) \|$",
                      text, re.MULTILINE)
    refusal = subprocess.run([os.environ["BN"], "init", "--preset", "none"], stderr=subprocess.PIPE, text=True).stderr
    known = re.search("one of (.*);", refusal)[1].split(", ")
    lines = [] if known == [row[0] for row in rows] else [f"README.md has not the presets of bn: {known}"]
    for name, eps, momentum, weights, estimator, axis, mean, var in rows:
        state = json.loads(subprocess.run([os.environ["BN"], "init", "--preset", name, "--channels", "1", "-o", "-"],
                                          stdout=subprocess.PIPE, check=True).stdout)
        told = {"eps": float(eps), "momentum": float(momentum), "momentum_weights": weights,
                "running_var_estimator": estimator, "axis": int(axis), "running_mean": [float(mean)],
                "running_var": [float(var)]}
        lines += [f"README.md says of {name} {key} {value}, bn {state[key]}" for key, value in told.items()
                  if state[key] != value]
    return lines


def wrong_mistakes(text):
    """Lines about mistakes that only one of the table and bn verify knows."""
    table = re.search(r"^\| what \| mistakes \|$.*?^$", text, re.MULTILINE | re.DOTALL)[0]
    told = set(re.findall(r"`([a-z_]+)`", table)) - {"num_batches_tracked"}
    source = ""
    for path in ("src/bn/diagnosis", "src/cli/layouts.cpp"):
        path = os.path.join(ROOT, path)
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else [""]:
            with open(os.path.join(path, name) if name else path, encoding="utf-8") as file:
                source += file.read()
    known = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', source))
    return [f"README.md and bn verify do not both know the mistake {name}" for name in sorted(told ^ known)]


def main():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    found = examples(text)
    if not found:
        sys.exit("README.md has no examples")
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "bin"))
        os.symlink(os.path.abspath(os.environ["BN"]), os.path.join(directory, "bin", "bn"))
        work = os.path.join(directory, "work")
        os.mkdir(work)
        for name in os.listdir(os.path.join(ROOT, "samples")):
            if name.endswith(".npy"):
                shutil.copy(os.path.join(ROOT, "samples", name), work)
        path = os.path.join(directory, "bin") + os.pathsep + os.environ["PATH"]
        tables = wrong_presets(text) + wrong_mistakes(text)
        for line in tables:
            print(line)
        failures = 0
        for number, command, expected in found:
            run = subprocess.run(["bash", "-c", command], cwd=work, env=dict(os.environ, PATH=path),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            lines = run.stdout.splitlines()
            if len(lines) != len(expected) or not all(map(matches, lines, expected)):
                failures += 1
                print(f"README.md:{number}: {command}\nexpected:\n" + "\n".join(expected) +
                      "\ngot:\n" + "\n".join(lines) + "\n")
    print(f"{len(found)} examples, {failures} of them not as README.md says")
    return failures != 0 or tables != []


sys.exit(main())
