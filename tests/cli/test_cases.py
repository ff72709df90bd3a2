"""CASES.md and the tests name the same cases, and the same exit codes."""

import os
import re
import unittest

import harness


def listed():
    with open(os.path.join(harness.HERE, "CASES.md"), encoding="utf-8") as file:
        text = file.read()
    codes, cases = text.split("\n## ", 1)
    rows = re.compile(r"^\| (\d+) \| ([^|]+) \|", re.MULTILINE)
    return dict((name, int(code)) for code, name in rows.findall(codes)), [int(n) for n, _ in rows.findall(cases)]


def tested():
    """{number: names of its tests}."""
    found = {}
    for name in os.listdir(harness.HERE):
        if re.fullmatch(r"test_\w+\.py", name):
            with open(os.path.join(harness.HERE, name), encoding="utf-8") as file:
                for test, number in re.findall(r"^    def (test_case_(\d+)_\w+)\(", file.read(), re.MULTILINE):
                    found.setdefault(int(number), []).append(test)
    return found


class CasesTest(unittest.TestCase):
    def test_the_cases_are_numbered_without_a_gap(self):
        numbers = sorted(listed()[1])
        self.assertEqual(numbers, list(range(1, numbers[-1] + 1)))

    def test_every_case_has_a_test_and_every_numbered_test_a_case(self):
        self.assertEqual(sorted(tested()), sorted(listed()[1]))

    def test_the_exit_codes_are_those_that_the_tests_expect(self):
        codes = listed()[0]
        self.assertEqual([codes[name] for name in ("done", "differs", "usage", "input", "system", "bug")],
                         [harness.DONE, harness.DIFFERS, harness.USAGE, harness.BAD_INPUT, harness.SYSTEM,
                          harness.BUG])


if __name__ == "__main__":
    harness.main()
