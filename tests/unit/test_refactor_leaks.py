"""Secrets that a change brings into a file, whoever wrote them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pointsman.errors import GatewayError
from pointsman.gateway.finder import Finder
from pointsman.refactor.changes import Changes
from pointsman.refactor.edits import edits_of
from pointsman.refactor.leaks import new_secrets, secrets_in
from pointsman.refactor.lines import select
from pointsman.refactor.work import Chosen, Work
from tests.pipelines import snapshot
from tests.secret_samples import fill

TOKEN = fill("ghp_{an36}", random.Random(7))
find = Finder(None, secrets=True, personal=False).find
NONE: frozenset[str] = frozenset()


def work(*texts: str, new: int = 0) -> Work:
    parts = [snapshot(text, name=f"{n}.py") for n, text in enumerate(texts)]
    return Work(
        instruction="do it",
        parts=tuple(Chosen(snapshot=one, selection=select(one.text, 1, 99), read_only=False) for one in parts),
        creates=tuple(snapshot("", name=f"new{n}.py") for n in range(new)),
    )


def test_a_secret_counts_where_it_was_not() -> None:
    base = f"token = '{TOKEN}'\n"
    assert new_secrets("x = 1\n", base, find, NONE) == 1
    assert new_secrets(base, base + f"again = '{TOKEN}'\n", find, NONE) == 0
    assert new_secrets(base, base, find, NONE) == new_secrets("x = 1\n", base, None, NONE) == 0
    assert new_secrets("x = 1\n", "x = 2\nname = 'Ada'\n", find, NONE) == 0


def test_a_secret_in_pieces_counts_although_each_piece_stands_anywhere() -> None:
    letters = "".join(sorted(set(TOKEN)))
    split = " + ".join(f'"{TOKEN[at : at + 1]}"' for at in range(len(TOKEN)))
    assert new_secrets(f"letters = {letters}\n", f"letters = {letters}\nt = {split}\n", find, NONE) > 0


def test_a_password_that_moves_counts_although_nothing_beside_it_says_what_it_is() -> None:
    settings = 'password = "correct-horse-battery"\n'
    known = secrets_in([settings], find)
    assert known and new_secrets("x = 1\n", "# see //e.example/?q=correct-horse-battery\n", find, known) == 1
    assert new_secrets("x = 1\n", "# see //e.example/?q=battery\n", find, known) == 0


def test_a_text_that_cannot_be_looked_through_counts_as_one() -> None:
    def fails(text: str) -> Sequence[tuple[int, int, str]]:
        raise GatewayError("the scan failed")

    assert new_secrets("a\n", "b\n", fails, NONE) == 1 and secrets_in(["a"], fails) == NONE
    assert new_secrets("a\n", f"\ud800 = '{TOKEN}'\n", find, NONE) == 1


def test_edits_count_per_file_and_at_least_what_the_gateway_found() -> None:
    settings, page = f"token = '{TOKEN}'\n", "print('page')\n"
    moved = Changes(documents={1: f"# //evil.example/?t={TOKEN}\n{page}"})
    assert edits_of(moved, work(settings, page), find)[1].secrets == 1
    assert edits_of(moved, work(settings, page), find, counted=3)[1].secrets == 3
    assert edits_of(moved, work(settings, page))[1].secrets == 0
    kept = Changes(documents={0: settings.replace("token", "key_of_api")})
    assert edits_of(kept, work(settings, page), find)[1].sound
    made = Changes(files={0: f"token = '{TOKEN}'\n"})
    assert not edits_of(made, work(settings, new=1), find)[1].sound
    told = Changes(documents={0: "# correct-horse-battery\n"})
    assert edits_of(told, work(page), find, shown=('password = "correct-horse-battery"\n',))[1].secrets == 1
