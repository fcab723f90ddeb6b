"""Tests of Python definitions by a small model: it writes the test functions, and the import above them is ours.

The model sees the code and one example. What it writes is used when it parses, tests something and names what it
tests. Whether the tests pass is not known: nothing is run.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from pointsman.models.prompting import ticks_for
from pointsman.refactor.blocks import Placed
from pointsman.refactor.checks import parsed_python
from pointsman.refactor.lines import reindented
from pointsman.refactor.work import Work

_SYSTEM = "You write tests for Python code. Answer with test functions in one code block."
_EXAMPLE = (
    ("user", "```python\ndef area(w, h):\n    return w * h\n```"),
    (
        "assistant",
        "```python\ndef test_area():\n    assert area(2, 3) == 6\n\n\ndef test_area_of_nothing():\n"
        "    assert area(0, 3) == 0\n```",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsPlan:
    kind: Literal["part", "new"]
    """Whether the tests go to the end of a part, or into a new file."""
    index: int
    code: str
    names: tuple[str, ...]
    """Of the definitions to test, which can be imported."""
    imports: str
    base: str
    """The test file as it is, with \\n between its lines; "" for a new one."""
    newline: str = "\n"
    """What ends a line of it."""

    @property
    def fence(self) -> str:
        return ticks_for(self.code)

    def messages(self) -> tuple[list[tuple[str, str]], str]:
        """(role, content) pairs and the start of the answer."""
        asked = f"{self.fence}python\n{self.code}\n{self.fence}"
        return [
            ("system", _SYSTEM),
            *_EXAMPLE,
            ("user", asked),
        ], f"{self.fence}python\ndef test_{self.names[0].lower()}"

    def judged(self, written: str, cut_off: bool) -> Placed:
        """The test file with the tests, or why there are none."""
        text = f"def test_{self.names[0].lower()}{written}".partition(f"\n{self.fence}")[0].rstrip()
        try:
            tree = parsed_python(text)
        except (SyntaxError, ValueError):
            return Placed(text=None, reason="the local model's answer had syntax errors")
        if cut_off:
            return Placed(text=None, reason="the local model's answer was cut off before its end")
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        if len(tests) != len(tree.body):
            return Placed(text=None, reason="the local model's answer was more than test functions")
        had = {node.name for node in parsed_python(self.base).body if isinstance(node, ast.FunctionDef)}
        if had & {test.name for test in tests} or len({test.name for test in tests}) != len(tests):
            return Placed(text=None, reason="the local model's tests have names that there are already")
        if not all(
            any(isinstance(node, ast.Assert) for node in ast.walk(test)) and self._names(test) for test in tests
        ):
            return Placed(text=None, reason="the local model's answer tests nothing of the code")
        head = f"{self.base.rstrip()}\n\n\n" if self.base.strip() else ""
        return Placed(text=f"{self._with_import(head)}{text}\n".replace("\n", self.newline))

    def _names(self, test: ast.FunctionDef) -> bool:
        return any(isinstance(node, ast.Name) and node.id in self.names for node in ast.walk(test))

    def _with_import(self, head: str) -> str:
        """`head` with the import, below its docstring, unless it names the definitions already."""
        if all(re.search(rf"\b{name}\b", head) for name in self.names):
            return head
        if not head:
            return f"{self.imports}\n\n\n"
        at = 0
        for node in parsed_python(head).body:
            future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
            if not future and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                break
            at = node.end_lineno or at
        lines = head.split("\n")
        return "\n".join([*lines[:at], self.imports, *lines[at:]])


def plan_tests(work: Work) -> TestsPlan | None:
    """A plan when the work is Python definitions to read and one Python file for their tests."""
    read = [part for part in work.parts if part.read_only]
    written = [index for index, part in enumerate(work.parts) if not part.read_only]
    if len(read) != 1 or len(written) + len(work.creates) != 1 or read[0].snapshot.language != "python":
        return None
    target = work.parts[written[0]].snapshot if written else work.creates[0]
    code = reindented(read[0].selection.text, "").strip("\n")
    try:
        tree = parsed_python(code)
        parsed_python(target.text)
    except (SyntaxError, ValueError):
        return None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = tuple(node.name for node in tree.body if isinstance(node, kinds))
    # What is indented is a part of something, and cannot be imported by its name.
    if not names or target.language != "python" or read[0].selection.indent:
        return None
    return TestsPlan(
        kind="part" if written else "new",
        index=written[0] if written else 0,
        code=code,
        names=names,
        imports=f"from {_module(read[0].snapshot.relative)} import {', '.join(names)}",
        base=target.text.replace("\r\n", "\n"),
        newline="\r\n" if "\r\n" in target.text else "\n",
    )


def untested(work: Work) -> tuple[str, str]:
    """What a plan would be possible for, where `plan_tests` has none, and what to do instead. Parses code."""
    from pointsman_indexer.parse import parse

    whole = "whole Python functions and classes only"
    for part in (one for one in work.parts if one.read_only and one.snapshot.language == "python"):
        start, end = part.selection.start, part.selection.end
        symbols = parse(part.snapshot.text.encode("utf-8", "replace"), "python").symbols
        around = [one for one in symbols if one.start_line <= start and end <= one.end_line]
        # What is indented is a part of the outermost definition around it, and that one can be imported.
        outer = min(around, key=lambda one: one.start_line, default=None)
        if part.selection.indent and outer is not None:
            kind = "methods" if outer.kind == "class" else "parts of them"
            return f"{whole}, not for {kind}", f"name the {outer.kind}: {part.snapshot.relative}:{outer.qualified}"
    return whole, "ask a closed model, by policy"


def _module(path: str) -> str:
    """The name that a file is imported by, where the root or its `src` is on the path."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if parts[0] == "src" and len(parts) > 1:
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
