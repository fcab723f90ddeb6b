"""Which root each document belongs to, and what there is to index."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.lsp.languages import language_named
from pointsman.lsp.positions import Lines
from pointsman.session import Session
from pointsman_indexer.languages import language_of


def test_a_folder_that_comes_later_takes_in_what_is_open(tmp_path: Path) -> None:
    session: Session[Lines] = Session()
    file = tmp_path / "plain" / "sub" / "b.py"
    file.parent.mkdir(parents=True)
    session.open(file.as_uri(), file, "python", 1, Lines(""))
    session.open("untitled:1", None, "python", 1, Lines(""))
    document, untitled = session.documents()
    assert document.root == file.parent and session.places() == ()
    session.work_in([tmp_path / "plain"])
    assert document.root == tmp_path / "plain" and untitled.root is None
    assert session.places() == (tmp_path / "plain",)
    session.work_in([])
    assert document.root == file.parent


def test_repositories_within_a_folder_are_places_while_something_of_them_is_open(tmp_path: Path) -> None:
    session: Session[Lines] = Session()
    session.work_in([tmp_path / "work"])
    for name in ("work/one", "work/two", "other"):
        (tmp_path / name / ".git").mkdir(parents=True)
        for file in ("a.py", "b.py"):
            session.open((tmp_path / name / file).as_uri(), tmp_path / name / file, "python", 1, Lines(""))
    assert session.places() == (tmp_path / "work", tmp_path / "work" / "one", tmp_path / "work" / "two")
    for file in ("a.py", "b.py"):
        session.close((tmp_path / "work" / "one" / file).as_uri())
    assert session.places() == (tmp_path / "work", tmp_path / "work" / "two")


@pytest.mark.parametrize(
    ("identifier", "file"),
    [
        ("typescriptreact", "App.tsx"),
        ("javascriptreact", "App.jsx"),
        ("shellscript", "run.sh"),
        ("sh", "run.sh"),
        ("cs", "A.cs"),
        ("jsonc", "a.jsonc"),
        ("makefile", "Makefile"),
        ("python", "a.py"),
        ("cpp", "a.cc"),
    ],
)
def test_a_language_is_named_as_the_index_names_it(identifier: str, file: str) -> None:
    assert language_named(identifier) == language_of(file)
