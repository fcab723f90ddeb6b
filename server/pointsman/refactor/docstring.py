"""The one change that needs no rewriting: a docstring for a Python function or class that has none.

The model writes only the sentence; every line of code stays as it is, which a small model could not promise.
Knows Python's syntax by `ast`, and neither files nor engines.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from pointsman.refactor.checks import parsed_python
from pointsman.refactor.lines import reindented
from pointsman.refactor.promise import promised
from pointsman.refactor.prompt import EDIT

_WANTED = re.compile(
    r"\bdoc[\s-]?strings?\b"
    r"|^\W*(?:please\s+)?(?:(?:add|write|generate)\s+(?:\w+\s+)?(?:documentation|docs)|document)\b",
    re.IGNORECASE,
)
_OTHER = re.compile(r"\b(remove|delete|rename|fix|update|change|move|extract|type)\b", re.IGNORECASE)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
STOP = '"""'
_LINES = 6
_ANEW = re.compile(
    r"\b(?:improve|better|expand|extend|complete|rewrite|rephrase|redo|replace|translate|shorten|reformat"
    r"|correct|longer|shorter)\b",
    re.IGNORECASE,
)

_EXAMPLE = (
    ("user", "Instruction: add a docstring\n```python\ndef area(w, h):\n    return w * h\n```"),
    ("assistant", '```python\ndef area(w, h):\n    """Return the area of a rectangle."""\n    return w * h\n```'),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocstringPlan:
    """`head` are the lines up to the colon, `rest` those below; the docstring goes between them."""

    head: str
    rest: str
    indent: str

    def messages(self) -> tuple[list[tuple[str, str]], str]:
        """(role, content) pairs and the start of the answer, which ends behind the opening quotes."""
        code = reindented(f"{self.head}\n{self.rest}", "")
        head = reindented(self.head, "")
        inner = self.indent[len(self.head) - len(self.head.lstrip()) :]
        asked = f"Instruction: add a docstring\n```python\n{code}\n```"
        return [("system", EDIT), *_EXAMPLE, ("user", asked)], f"```python\n{head}\n{inner}{STOP}"

    def with_text(self, written: str) -> str | None:
        """The code with what the model wrote between the quotes; None when that is no docstring."""
        lines = [line.strip() for line in written.split(STOP)[0].split("\n")]
        text = "\n".join(lines).strip()
        if not re.search(r"\w", text) or "\\" in text or text.count("\n") >= _LINES:
            return None
        if "\n" in text:
            text = f"{text}\n"
        elif text[-1].isalnum():
            text = f"{text}."
        if text.endswith('"'):
            text = f"{text} "
        body = "\n".join(f"{self.indent}{line}" if line else "" for line in f"{STOP}{text}{STOP}".split("\n"))
        return f"{self.head}\n{body}\n{self.rest}"


def plan_docstring(code: str, instruction: str, language: str) -> DocstringPlan | None:
    """A plan when the instruction asks for a docstring and nothing else, and `code` is one definition without one."""
    if language != "python" or not _asks(instruction):
        return None
    try:
        (node,) = parsed_python(reindented(code, "")).body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(node, _DEFINITIONS) or ast.get_docstring(node) is not None:
        return None
    lines = code.split("\n")
    first = node.body[0]
    decorators = getattr(first, "decorator_list", [])
    body = min([first.lineno, *(d.lineno for d in decorators)])
    head = next((n for n in range(body - 1, node.lineno - 1, -1) if _opens(lines[n - 1])), None)
    if head is None:
        return None
    inner = lines[body - 1]
    return DocstringPlan(
        head="\n".join(lines[:head]), rest="\n".join(lines[head:]), indent=inner[: len(inner) - len(inner.lstrip())]
    )


def documented_already(code: str, instruction: str, language: str) -> str:
    """The name of the one definition in `code` whose docstring is asked for although it has one; "" otherwise.

    Not when it is asked for anew, nor in the plural for a class with definitions that lack one.
    """
    if language != "python" or not _asks(instruction) or _ANEW.search(instruction):
        return ""
    try:
        (node,) = parsed_python(reindented(code, "")).body
    except (SyntaxError, ValueError):
        return ""
    if not isinstance(node, _DEFINITIONS) or ast.get_docstring(node) is None:
        return ""
    inner = [one for one in ast.walk(node) if isinstance(one, _DEFINITIONS)]
    plural = re.search(r"strings\b", instruction, re.IGNORECASE)
    return "" if plural and any(ast.get_docstring(one) is None for one in inner) else node.name


def _asks(instruction: str) -> bool:
    wanted = _WANTED.search(instruction) is not None and _OTHER.search(instruction) is None
    return wanted and promised(instruction, "python") == {"documentation"}


def _opens(line: str) -> bool:
    return line.split("#")[0].rstrip().endswith(":")
