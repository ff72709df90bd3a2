"""The rules of the house: who may include whom, no circles, and how long files and functions may be.

A few lines of script over the text of src, not a parser: it knows the way this code is written, and
plants one offence of each kind to see that it is found.
"""

import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Each folder of src, and what of ours its files may include besides the folder itself: other folders
# (without those inside them) or single files.
BN = ["bn/error.hpp"]
IO = ["io/error.hpp", "io/nearest.hpp"]
ALL_OF_BN = ["bn", "bn/passes", "bn/tiles", "bn/arrays", "bn/kernels", "bn/exact"]
ALL_OF_IO = ["io", "io/documents", "io/arrays", "io/files"]
MAY_INCLUDE = {
    # bn knows neither files nor JSON nor flags: diagnosis -> bn -> passes -> tiles -> arrays ->
    # kernels, exact.
    "bn/diagnosis": ALL_OF_BN,
    "bn": ALL_OF_BN,
    "bn/passes": BN + ["bn/tiles", "bn/arrays", "bn/kernels", "bn/exact"],
    "bn/tiles": BN + ["bn/arrays", "bn/kernels", "bn/exact"],
    "bn/arrays": BN + ["bn/kernels", "bn/exact"],
    "bn/kernels": [],
    "bn/exact": [],
    # io alone knows formats: documents -> arrays -> files.
    "io": ALL_OF_BN,
    "io/documents": IO + ["io/arrays", "io/files"] + ALL_OF_BN,
    "io/arrays": IO + ["io/files"] + ALL_OF_BN,
    "io/files": IO + ALL_OF_BN,
    # cli alone knows flags: the program lists the commands, commands have flags, flags know neither.
    "cli": ["cli/commands", "cli/flags", "bn/diagnosis"] + ALL_OF_IO + ALL_OF_BN,
    "cli/commands": ["cli", "cli/flags", "bn/diagnosis"] + ALL_OF_IO + ALL_OF_BN,
    "cli/flags": ["cli"] + ALL_OF_IO + ALL_OF_BN,
}

# Libraries, by the first part of what is included, and the only files that may see them.
ONLY_IN = {
    "CLI": r"cli/flags/.*",
    "nlohmann": r"io/documents/json.*",
}

# A longer file says "over 400 lines" and why in its first five lines.
MAX_LINES_OF_A_FILE = 400
MAX_LINES_OF_A_FUNCTION = 80


def includes(text):
    """What a file includes, with quotes or angle brackets."""
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE)


def folder(path):
    return path.rpartition("/")[0]


def unit(path):
    """x.hpp and x.cpp are one unit."""
    return path.rpartition(".")[0]


def forbidden_includes(files):
    found = []
    for path, text in sorted(files.items()):
        here = folder(path)
        for included in includes(text):
            top = included.split("/")[0]
            if top in ONLY_IN and not re.fullmatch(ONLY_IN[top], path):
                found.append("%s includes %s, which only %s may" % (path, included, ONLY_IN[top]))
            if top not in ("bn", "io", "cli"):
                continue
            if here not in MAY_INCLUDE:
                found.append("%s: MAY_INCLUDE has no row for its folder" % path)
                break
            if included not in files:
                found.append("%s includes %s, which is not in src" % (path, included))
            elif folder(included) != here and not {included, folder(included)} & set(MAY_INCLUDE[here]):
                found.append("%s includes %s: not from %s" % (path, included, here))
    return found


def circles(files):
    """Each circle of units once, as the units on it in order."""
    below = {}
    for path, text in files.items():
        below.setdefault(unit(path), set()).update(unit(i) for i in includes(text) if i in files)
    found, done = [], set()

    def walk(name, way):
        if name in way:
            found.append("a circle: " + " -> ".join(way[way.index(name):] + [name]))
        elif name not in done:
            for lower in sorted(below[name] - {name}):
                walk(lower, way + [name])
            done.add(name)

    for name in sorted(below):
        walk(name, [])
    return found


def long_files(files):
    found = []
    for path, text in sorted(files.items()):
        lines = text.splitlines()
        if len(lines) > MAX_LINES_OF_A_FILE and "over 400 lines" not in " ".join(lines[:5]).lower():
            found.append("%s has %d lines and does not say why" % (path, len(lines)))
    return found


# What may hold braces that mean nothing: comments, strings, characters (not the ' within a number),
# preprocessor lines with their continuations.
NOT_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"""
    r"""|^[ \t]*\#(?:\\\n|[^\n])*""", re.DOTALL | re.MULTILINE)
TEMPLATE = re.compile(r"template\s*<(?:[^<>]|<[^<>]*>)*>")
ACCESS = re.compile(r"\s*(?:(?:public|protected|private)\s*:\s*)?")
SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum)\b[^()]*$|\bextern\s*$")


def functions(text):
    """[(line, number of lines)] of every function, from its signature to its closing brace.

    Outside functions a brace opens a namespace or a type, or initialises something (then "=" stands
    before it or the declaration goes on behind it), or is a body. Lambdas are part of the function
    around them; in a table each entry counts by itself.
    """
    code = NOT_CODE.sub(lambda match: "\n" * match.group().count("\n"), text)
    found, start, at = [], 0, 0
    while at < len(code):
        if code[at] != "{":
            if code[at] in ";}":
                start = at + 1
            at += 1
            continue
        before = code[start:at]
        table = before.rstrip().endswith("=") and before.count("(") == before.count(")")
        if table or SCOPE.search(TEMPLATE.sub("", before)):
            at = start = at + 1
            continue
        end, depth = at + 1, 1
        while depth:
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
        if ";" in code[at:end] or not re.match(r"\s*[,;{)]", code[end:]):
            first = start + ACCESS.match(code[start:end]).end()
            found.append((code.count("\n", 0, first) + 1, code.count("\n", first, end) + 1))
            start = end
        at = end
    return found


def long_functions(files):
    return ["%s:%d: a function of %d lines" % (path, line, length) for path, text in sorted(files.items())
            for line, length in functions(text) if length > MAX_LINES_OF_A_FUNCTION]


def source():
    """{path within src: text} of every C++ file."""
    files = {}
    top = os.path.join(ROOT, "src")
    for path, _, names in os.walk(top):
        for name in names:
            if name.endswith((".hpp", ".cpp")):
                full = os.path.join(path, name)
                with open(full, encoding="utf-8") as file:
                    files[os.path.relpath(full, top)] = file.read()
    return files


class HouseTest(unittest.TestCase):
    def check(self, rule):
        files = source()
        self.assertGreater(len(files), 50)
        found = rule(files)
        if found:
            self.fail("\n".join(["", *found]))

    def test_no_include_runs_against_the_rules(self):
        self.check(forbidden_includes)

    def test_there_is_no_circle_of_units(self):
        self.check(circles)

    def test_no_file_is_long_without_saying_why(self):
        self.check(long_files)

    def test_no_function_is_long(self):
        self.check(long_functions)

    def test_every_folder_in_the_rules_is_there(self):
        there = {folder(path) for path in source()}
        self.assertEqual(there, set(MAY_INCLUDE))


class PlantedTest(unittest.TestCase):
    """Each rule finds what offends it, and passes what does not."""

    def test_an_include_against_the_rules_is_found(self):
        files = {"bn/arrays/a.hpp": "", "bn/tiles/t.hpp": "", "bn/error.hpp": "", "io/error.hpp": "", "cli/x.hpp": "",
                 "io/documents/json.cpp": "", "cli/commands/c.hpp": "", "bn/exact/e.hpp": ""}
        for path, included, allowed in (
                ("bn/tiles/t.cpp", "bn/arrays/a.hpp", True), ("bn/arrays/a.cpp", "bn/tiles/t.hpp", False),
                ("bn/tiles/t.cpp", "bn/error.hpp", True), ("bn/exact/e.cpp", "bn/error.hpp", False),
                ("bn/x.cpp", "io/error.hpp", False), ("io/files/f.cpp", "io/error.hpp", True),
                ("io/files/f.cpp", "cli/x.hpp", False), ("cli/flags/f.cpp", "cli/commands/c.hpp", False),
                ("cli/commands/c.cpp", "cli/x.hpp", True), ("cli/x.cpp", "CLI/CLI.hpp", False),
                ("cli/flags/f.cpp", "CLI/CLI.hpp", True), ("io/documents/json.cpp", "nlohmann/json.hpp", True),
                ("io/documents/state.cpp", "nlohmann/json.hpp", False), ("bn/new/n.cpp", "bn/error.hpp", False),
                ("io/files/f.cpp", "io/gone.hpp", False), ("bn/x.cpp", "vector", True)):
            for spelling in ('#include "%s"', "#include <%s>", '  #  include "%s"'):
                planted = dict(files, **{path: "#pragma once\n" + spelling % included + "\n"})
                self.assertEqual(len(forbidden_includes(planted)), 0 if allowed else 1, (path, included))

    def test_a_circle_of_units_is_found(self):
        files = {"bn/a.hpp": "", "bn/a.cpp": '#include "bn/b.hpp"', "bn/b.hpp": '#include "bn/c.hpp"', "bn/c.hpp": ""}
        self.assertEqual(circles(files), [])
        self.assertEqual(circles(dict(files, **{"bn/c.cpp": '#include "bn/a.hpp"\n#include "bn/c.hpp"'})),
                         ["a circle: bn/a -> bn/b -> bn/c -> bn/a"])

    def test_a_long_file_is_found_unless_it_says_why(self):
        self.assertEqual(long_files({"a.cpp": "\n" * 400}), [])
        self.assertEqual(len(long_files({"a.cpp": "\n" * 401})), 1)
        self.assertEqual(long_files({"a.cpp": "// Over 400 lines: one table.\n" + "\n" * 401}), [])

    def test_a_long_function_is_found_wherever_it_stands(self):
        body = "{\n" + "  if (a) { b({1, 2}); }  // }\n" * 79
        for before, signature, after in (
                ("namespace bn {\n", "int f(int a) ", "}\n}"), ("class A final : public B<C> {\n public:\n", "A() : b_{1}, c_(2) ", "}\n};"),
                ("", "template <class T, class U = V<T>>\nstruct S f(T a) noexcept ", "}"), ("struct S {};\n", "S operator==(S a) const ", "}"),
                ("constexpr int k[] = {1, 2};\n", "auto f = [](int a) ", "};"), ("#define X {\n", "void f(A a = {}, char c = '{') ", "}"),
                ('extern "C" {\n', "int f() ", "}\n}"), ("enum class E { a, b };\n", "void f() ", "}\nvoid g() {}\n")):
            with self.subTest(signature=signature):
                long = before + signature + body + after
                self.assertEqual([length for _, length in functions(long)][0], 81 + signature.count("\n"))
                self.assertEqual(len(long_functions({"a.cpp": long})), 1)
        table = "constexpr std::array k = {\n" + "  A{1, [](int a) { f(a); }},\n" * 90 + "};\nint f() {\n  return 1;\n}\n"
        self.assertLessEqual(max(length for _, length in functions(table)), 3)
        self.assertEqual(functions("int a = 1'000;\nstruct S {\n  int b{3};\n};\n\nint f() {\n  return 'x';\n}\n"), [(6, 3)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
