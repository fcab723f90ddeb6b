"""Which definition a line belongs to."""

from __future__ import annotations

import pytest

from pointsman.lsp.definition import definition_at
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
    assert definition_at(PYTHON, line) == found


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
    assert definition_at(SCRIPT, line) == found
