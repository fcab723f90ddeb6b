"""Stages of the refactor pipeline, each alone."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from pointsman.errors import UsageError
from pointsman.models.prompting import neutralise, ticks_for, unbroken
from pointsman.refactor.answer import new_document
from pointsman.refactor.checks import check, in_scope, is_protected, new_syntax_errors, parses_alone
from pointsman.refactor.docstring import plan_docstring
from pointsman.refactor.edits import file_edit
from pointsman.refactor.lines import common_indent, reindented, select, split_lines
from pointsman.refactor.prompt import local_messages
from tests.pipelines import SPECIAL, snapshot

CODE = "import os\n\nclass A:\n    def f(self, x):\n        return x\n\n    def g(self):\n        pass\n"


def is_python(text: str) -> bool:
    return parses_alone(text, "python")


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\r\nb\rc\nd", "\n\n", "a\x0cb\u2028c\n"])
def test_only_three_line_ends_count_and_nothing_is_lost(text: str) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all(line.rstrip("\r\n").count("\n") == 0 for line in lines)
    assert len(split_lines("a\x0cb\u2028c\n")) == 1


def test_a_selection_is_whole_lines() -> None:
    selection = select(CODE, 4, 5)
    assert selection.text == "    def f(self, x):\n        return x" and selection.indent == "    "
    assert selection.replaced("    pass") == CODE.replace(selection.text, "    pass")
    assert select(CODE, 8, 99).end == 8
    assert select("a\nb", 2, 2).replaced("c") == "a\nc"
    assert select("a\r\nb\r\nc\r\n", 2, 2).replaced("x\ny") == "a\r\nx\r\ny\r\nc\r\n"
    assert select("a\nb\n", 1, 1).replaced("") == "b\n"


@pytest.mark.parametrize(("start", "end"), [(0, 1), (3, 2), (99, 99)])
def test_lines_that_are_not_there_are_a_usage_error(start: int, end: int) -> None:
    with pytest.raises(UsageError):
        select(CODE, start, end)


def test_reindenting_keeps_the_shape() -> None:
    assert reindented("    a\n        b\n\n", "  ") == "  a\n      b\n\n"
    assert common_indent("\ta\n    b") == ""


@pytest.mark.parametrize(
    "answer",
    [
        "Sure!\n```python\ndef f(self, x: int) -> int:\n    return x\n```\nDone.",
        "```\n    def f(self, x: int) -> int:\n        return x\n```",
        "~~~python\ndef f(self, x: int) -> int:\n    return x\n",
        "def f(self, x: int) -> int:\n    return x\n",
        "<<<<<<< SEARCH\n    def f(self, x):\n=======\n    def f(self, x: int) -> int:\n>>>>>>> REPLACE",
        "<<<<<<< SEARCH\ndef f(self, x):\n=======\ndef f(self, x: int) -> int:\n>>>>>>> REPLACE",
        "```\r\ndef f(self, x: int) -> int:\r\n    return x\r\n```",
    ],
)
def test_an_answer_in_each_form_becomes_the_same_document(answer: str) -> None:
    selection = select(CODE, 4, 5)
    assert new_document(answer, selection, is_python).text == CODE.replace("x):", "x: int) -> int:")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot do that, sorry.",
        "NO CHANGE",
        "<<<<<<< SEARCH\nnot there\n=======\nx\n>>>>>>> REPLACE",
        "<<<<<<< SEARCH\n\n=======\nx\n>>>>>>> REPLACE",
        "<<<<<<< SEARCH\n    def f(self, x):\n=======\nUse\n=====\nuse\n>>>>>>> REPLACE",
    ],
)
def test_an_answer_without_a_place_is_none(answer: str) -> None:
    assert new_document(answer, select(CODE, 4, 5), is_python).text is None


def test_a_search_that_fits_twice_is_not_guessed() -> None:
    answer = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE"
    assert new_document(answer, select("a\na\n", 1, 2), is_python).text is None


def test_repeated_neighbours_are_not_doubled() -> None:
    text = "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n"
    answer = "```\na = 1\nb = 2\nc = 3\nd = 40\n```"
    assert new_document(answer, select(text, 4, 4), is_python).text == text.replace("4", "40")


PAIR = "def subtract(a, b):\n    return a - b\n\n\ndef add(a, b):\n    if a:\n        return b\n    return a + b\n"
PAIR_ELSE = PAIR.replace("b\n    r", "b\n    else:\n        return a + b\n    r")


@pytest.mark.parametrize(
    ("first", "last", "answer", "shown"),
    [
        (1, 1, "def subtract(a: int, b):\n    return a - b", PAIR.replace("(a, b)", "(a: int, b)", 1)),
        (2, 2, "def subtract(a, b):\n    return b - a", PAIR.replace("a - b", "b - a")),
        (6, 7, "if a:\n    return b\nelse:\n    return a + b", PAIR_ELSE),
        (6, 7, "if a > 0:\n    return b\nreturn a + b", PAIR.replace("if a:", "if a > 0:")),
        (8, 8, "x = a\nreturn x + b", PAIR.replace("    return a + b", "    x = a\n    return x + b")),
    ],
)  # fmt: skip
def test_a_line_beside_the_selection_is_not_written_twice(first: int, last: int, answer: str, shown: str) -> None:
    assert new_document(f"```\n{answer}\n```", select(PAIR, first, last), is_python).text == shown


def test_of_several_blocks_the_one_about_the_selection_counts() -> None:
    answer = "```sh\npip install it\n```\n```python\ndef f(self, x=1):\n    return x\n```"
    assert new_document(answer, select(CODE, 4, 5), is_python).text == CODE.replace("x):", "x=1):")


def test_what_only_another_block_has_is_not_lost() -> None:
    text = "def first(a):\n    return a\n\n\ndef second(b):\n    return b\n"
    pieces = "```python\ndef first(a: int):\n    return a\n```\nand\n```python\ndef second(b: int):\n    return b\n```"
    placed = new_document(pieces, select(text, 1, 6), is_python)
    assert placed.text is None and "several pieces" in placed.reason
    kept = pieces.replace("def second(b: int):\n    return b", "first(1)")
    assert new_document(kept, select(text, 1, 2), is_python).text == text.replace("(a)", "(a: int)")


@pytest.mark.parametrize("inner", ["```sh", "```"])
def test_a_fence_within_the_answer_does_not_end_it_early(inner: str) -> None:
    text = f"# Setup\n\n{inner}\nrun it\n```\n\nThen configure it.\nKeep this paragraph.\n"
    answer = f"```markdown\n{text.replace('Setup', 'Set-up')}```"
    assert new_document(answer, select(text, 1, 8), lambda code: False).text is None
    assert new_document(f"`{answer}`", select(text, 1, 8), lambda code: False).text == text.replace("Setup", "Set-up")


def test_line_1_of_an_empty_document_is_there() -> None:
    assert select("", 1, 9).replaced("x = 1\n") == "x = 1\n"
    with pytest.raises(UsageError):
        select("", 2, 2)


def test_a_marker_that_the_code_spells_comes_back_whole() -> None:
    code = 'USAGE = "tool <FILE> | <|im_end|>"'
    shown = neutralise(code, SPECIAL)
    assert shown != code and unbroken(shown, code, SPECIAL) == code
    assert unbroken("a < FILE", code, SPECIAL) == "a < FILE"


def test_a_docstring_goes_below_the_head_and_nothing_else_changes() -> None:
    head = "    @wraps(f)\n    async def f(\n        self, x: int = 1,\n    ) -> int:  # note"
    code = f"{head}\n        # why\n        return x"
    plan = plan_docstring(code, "Add a docstring", "python")
    assert plan is not None
    _, start = plan.messages()
    assert start.endswith('-> int:  # note\n    """')
    new = plan.with_text('Return x."""\n    junk')
    assert new is not None
    assert new.split("\n") == [*code.split("\n")[:4], '        """Return x."""', *code.split("\n")[4:]]
    longer = plan.with_text("\n    Return x.\n\n    Always.\n    ")
    assert longer is not None and ast.get_docstring(ast.parse(reindented(longer, "")).body[0]) == "Return x.\n\nAlways."  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "instruction", "language"),
    [
        ('def f():\n    """Has one."""', "add a docstring", "python"),
        ("def f():\n    return 1", "add type hints", "python"),
        ("def f():\n    return 1", "add a docstring and rename f to g", "python"),
        ("def f():\n    return 1\ndef g(): pass", "add a docstring", "python"),
        ("def f(): return 1", "add a docstring", "python"),
        ("def f(:", "add a docstring", "python"),
        ("function f() {}", "add a docstring", "javascript"),
    ],
)
def test_what_is_no_plain_docstring_goes_the_general_way(code: str, instruction: str, language: str) -> None:
    assert plan_docstring(code, instruction, language) is None


@pytest.mark.parametrize("written", ["", "...", "a \\n b", "\n".join("abcdefghij")])
def test_what_is_no_docstring_is_refused(written: str) -> None:
    plan = plan_docstring("def f():\n    return 1", "add a docstring", "python")
    assert plan is not None and plan.with_text(written) is None


def test_checks_find_new_syntax_errors_only() -> None:
    assert new_syntax_errors("def f(:\n", "def f(:\n", "python") == 0
    assert new_syntax_errors("x = 1\n", "x = = 1\n", "python") > 0
    assert new_syntax_errors("f()\n", "f(\n", "python") > 0
    assert new_syntax_errors("f()\n", "f(\n", "javascript") > 0
    assert new_syntax_errors("anything", "else (", "no-such-language") == 0
    assert is_python("x = 1") and not is_python("I cannot do that, sorry.")


def test_checks_see_what_lies_outside_of_the_lines() -> None:
    selection = select(CODE, 4, 5)
    assert in_scope(CODE, CODE.replace("return x", "return 2"), selection)
    assert in_scope(CODE, selection.replaced("    pass"), selection)
    assert not in_scope(CODE, CODE.replace("import os", "import sys"), selection)
    assert not in_scope(CODE, CODE.replace("pass", "return 1"), selection)
    result = check(snapshot(CODE, name=".github/workflows/ci.yml"), CODE, selection)
    assert result.protected == (".github/workflows/ci.yml",) and not result.passed


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        "a/.GitHub/workflows/x.yml",
        ".VSCode/Settings.JSON",
        ".idea/x.xml",
        "my.code-workspace",
        "docs/Agents.md",
        "CLAUDE.md ",
        "sub/mcp.json.",
        "PyProject.TOML",
        "setup.py",
        "tests/conftest.py",
        ".pointsman/policy.toml",
        ".bashrc",
        "..\\x.py",
        "a/../b.py",
        "setup.py::$DATA",
        ".git\u0131hub/../.github/x",
        *(
            ".nvim.lua",
            "sub/.NVIMRC",
            ".exrc",
            ".vimrc",
            ".dir-locals.el",
            ".gdbinit",
            ".zed/x.json",
            ".continue/a.yaml",
        ),
        *("Cargo.toml", "crates/a/build.rs", "CMakeLists.txt", "pom.xml", "gradlew", "gradlew.bat", "app/build.gradle"),
        *("build.gradle.kts", "settings.gradle", "vite.config.ts", "webpack.config.prod.js", "rollup.config.mjs"),
        *("docker-compose.yml", "docker-compose.override.yaml", "compose.yaml", "compose.dev.yml", "a/action.yml"),
    ],
)
def test_protected_paths_in_any_spelling(path: str) -> None:
    assert is_protected(path)


@pytest.mark.parametrize(
    "path", ["src/app.py", "setup/x.py", "git/config.py", "docs/agents/x.md", "my_conftest.py", "app.config.ts"]
)
def test_other_paths_are_not_protected(path: str) -> None:
    assert not is_protected(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [("a\nb\nc\n", "a\nB\nc\n"), ("a\r\nb\r\n", "a\r\nB\r\n"), ("a\nb", "a\nB"), ("a\n", "a\nb")],
)
def test_git_applies_the_diff_to_the_base_with_the_hash(old: str, new: str, tmp_path: Path) -> None:
    base = snapshot(old, root=tmp_path)
    edit = file_edit(base, new)
    assert edit is not None and edit.path == "pkg/a.py"
    file = tmp_path / "pkg" / "a.py"
    file.parent.mkdir()
    file.write_bytes(old.encode())
    hashed = subprocess.run(["git", "hash-object", "--no-filters", file], capture_output=True, text=True, check=True)
    assert hashed.stdout.strip() == edit.base_sha
    subprocess.run(["git", "apply", "-"], input=edit.diff.encode(), cwd=tmp_path, check=True)
    assert file.read_bytes() == new.encode()


def test_an_edit_that_changes_nothing_is_none() -> None:
    assert file_edit(snapshot("a\n"), "a\n") is None


def test_code_with_fences_gets_a_longer_one() -> None:
    assert ticks_for("x = '```'") == "````"
    messages, start = local_messages(select("x = '```'\n", 1, 1), "change x", "python")
    assert start == "````python\n" and messages[-1][1].endswith("\n````")
