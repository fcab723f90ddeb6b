"""`pointsman refactor` with the real default model, which writes what it likes: what may change, and what is said."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pointsman.refactor.bare import bare, lines_of_code

from .conftest import Home

pytestmark = pytest.mark.model

RETRY = '''import time


def retry(fetch, attempts=3, backoff=0.1):
    """Call fetch until it works."""
    for attempt in range(attempts):
        try:
            return fetch()
        except OSError:
            if attempt == attempts - 1:
                raise
            time.sleep(backoff * 2**attempt)
'''
SCRIPT = "/** Adds two numbers. */\nexport function add(a, b) {\n  return a + b;\n}\n"


def one_line(text: str) -> bool:
    return len(text.strip().splitlines()) == 1


def test_a_docstring_comes_where_there_is_none_and_only_there(home: Home, repository: Path) -> None:
    file = repository / "shop" / "retry.py"
    file.write_text(RETRY)
    there = home.run("refactor", f"{file}:retry", "add a docstring", "--apply", code=1)
    assert "retry has a docstring already" in there.err and one_line(there.err) and file.read_text() == RETRY
    file.write_text(RETRY.replace('    """Call fetch until it works."""\n', ""))
    home.run("refactor", f"{file}:retry", "add a docstring", "--apply")
    tree = ast.parse(file.read_text())
    function = tree.body[1]
    assert isinstance(function, ast.FunctionDef) and ast.get_docstring(function)
    function.body.pop(0)
    bare_tree = ast.parse(RETRY.replace('    """Call fetch until it works."""\n', ""))
    assert ast.dump(tree) == ast.dump(bare_tree)


@pytest.mark.parametrize(
    ("name", "text", "instruction"),
    [
        ("retry.py", RETRY, "rewrite the docstring"),
        ("retry.py", RETRY, "document this in detail"),
        ("add.js", SCRIPT, "add a docstring"),
    ],
)
def test_a_request_for_documentation_leaves_the_code_or_fails(
    home: Home, repository: Path, name: str, text: str, instruction: str
) -> None:
    file = repository / "shop" / name
    file.write_text(text)
    done = home.run("refactor", file, instruction, "--apply", code=None)
    language = "python" if name.endswith(".py") else "javascript"
    old, new = (bare(one, language) for one in (text, file.read_text()))
    assert old and new and lines_of_code(old) == lines_of_code(new)
    if done.code:
        assert done.code == 1 and file.read_text() == text and done.out == "" and one_line(done.err)


def test_several_files_change_together_or_not_at_all(home: Home, repository: Path) -> None:
    cart, stock = (repository / "shop" / name for name in ("cart.py", "inventory.py"))
    before = cart.read_text(), stock.read_text()
    places = (f"{cart}:Cart.add", f"{stock}:Inventory.reserve")
    done = home.run("refactor", *places, "rename reserve to take", "--apply", "--json", code=None)
    changed = [old != file.read_text() for old, file in zip(before, (cart, stock), strict=True)]
    assert changed == [done.code == 0] * 2 and len(done.json["edits"]) in (0, 2)
    if done.code:
        assert done.code == 1 and one_line(done.err) and done.json["note"]


def test_a_method_is_not_tested_and_the_class_is_named(home: Home, repository: Path) -> None:
    refused = home.run("refactor", "shop/cart.py:Cart.add", "", "--tests", code=1, cwd=repository)
    assert "not for methods" in refused.err and "shop/cart.py:Cart)" in refused.err and one_line(refused.err)


def test_a_link_out_of_the_repository_is_not_written_through(home: Home, repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("def f(a):\n    return a\n")
    (repository / "link.py").symlink_to(outside)
    (repository / "same.py").symlink_to("shop/inventory.py")
    refused = home.run("refactor", "link.py", "add a docstring", "--apply", code=2, cwd=repository)
    assert "link" in refused.err and one_line(refused.err) and outside.read_text() == "def f(a):\n    return a\n"
    home.run("complete", "link.py:1:1", code=2, cwd=repository)
    home.run("refactor", "same.py:__init__", "add a docstring", "--apply", cwd=repository)
    assert (repository / "same.py").is_symlink()
