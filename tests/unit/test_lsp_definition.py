"""Which definition a line belongs to."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from lsprotocol import types

from pointsman.complete.scope import width
from pointsman.lsp import code_action, definition
from pointsman.lsp.definition import around, definition_at
from pointsman.lsp.positions import Lines

PYTHON = Lines("""import os

class Cart:
    size = 1

    def add(
        self,
    ) -> None:
        if self:

            pass

    def total(self): return 1


x = Cart()
""")
SCRIPT = Lines("""export class Basket {
  add(item) {
    if (item) {
      push(item);
    } else {
      pop(item);
    }
  }

}
const basket = new Basket();
function f()
{
  return 1;
}
f();
""")


def found_at(lines: Lines, line: int) -> tuple[int, int] | None:
    begin, near = around(lines, line)
    found = definition_at(near, line - begin)
    return found and (begin + found[0], begin + found[1])


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (0, None),
        (2, (2, 12)),
        (3, (2, 12)),
        (5, (5, 10)),
        (6, (5, 10)),
        (7, (5, 10)),
        (9, (5, 10)),
        (10, (5, 10)),
        (11, (2, 12)),
        (12, (12, 12)),
        (13, None),
        (15, None),
        (99, None),
    ],
)
def test_in_a_language_of_indentation(line: int, found: tuple[int, int] | None) -> None:
    assert found_at(PYTHON, line) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (0, (0, 9)),
        (3, (1, 7)),
        (4, (1, 7)),
        (7, (1, 7)),
        (8, (0, 9)),
        (10, None),
        (12, (11, 14)),
        (13, (11, 14)),
        (15, None),
    ],
)
def test_in_a_language_of_braces(line: int, found: tuple[int, int] | None) -> None:
    assert found_at(SCRIPT, line) == found


@pytest.mark.parametrize(
    ("line", "found"), [(449, (449, 1949)), (1000, (449, 1949)), (1949, (449, 1949)), (1950, None), (1951, None)]
)
def test_each_line_is_read_once_or_twice(
    monkeypatch: pytest.MonkeyPatch, line: int, found: tuple[int, int] | None
) -> None:
    measured: list[str] = []

    def counted(line: str) -> int:
        measured.append(line)
        return width(line)

    monkeypatch.setattr(definition, "width", counted)
    nested = [" " * depth + f"def f{depth}():" for depth in range(450)]
    assert found_at(Lines("\n".join([*nested, *[" " * 450 + "x = 1"] * 1500, "", ""])), line) == found
    assert len(measured) < 12_000


def test_far_down_a_long_file() -> None:
    assert found_at(Lines("x = 1\n" * 9000 + "def f():\n    pass\n"), 9001) == (9000, 9001)


@pytest.mark.parametrize(
    ("only", "trigger", "asked"),
    [
        (None, types.CodeActionTriggerKind.Automatic, 0),
        (["quickfix"], types.CodeActionTriggerKind.Invoked, 0),
        (["source"], types.CodeActionTriggerKind.Invoked, 1),
        (None, types.CodeActionTriggerKind.Invoked, 1),
    ],
)
async def test_it_is_looked_for_only_where_it_is_wanted_and_off_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, only: list[str] | None, trigger: types.CodeActionTriggerKind, asked: int
) -> None:
    where: list[int] = []

    def found(near: list[str], line: int) -> tuple[int, int] | None:
        where.append(threading.get_ident())
        return definition_at(near, line)

    monkeypatch.setattr(code_action, "definition_at", found)
    handlers: dict[str, Any] = {}
    document = SimpleNamespace(buffer=PYTHON, version=1)
    server = SimpleNamespace(
        feature=lambda name, *_: lambda handler: handlers.setdefault(name, handler),
        session=SimpleNamespace(get=lambda uri: document),
        protocol=SimpleNamespace(_converter=SimpleNamespace(unstructure=lambda place: place)),
        client_capabilities=types.ClientCapabilities(),
    )
    code_action.register(server)  # type: ignore[arg-type]
    place = types.Range(types.Position(6, 0), types.Position(6, 0))
    context = types.CodeActionContext(diagnostics=[], only=only, trigger_kind=trigger)
    params = types.CodeActionParams(types.TextDocumentIdentifier("file:///a.py"), place, context)
    actions = await handlers[types.TEXT_DOCUMENT_CODE_ACTION](params)
    assert len(where) == asked and threading.get_ident() not in where
    ranges = [action.command.arguments[0]["range"] for action in actions]
    assert ranges == [types.Range(types.Position(5, 0), types.Position(11, 0))] * (2 * asked)
