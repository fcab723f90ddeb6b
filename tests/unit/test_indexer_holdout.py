"""What a repository teaches: which files, which pairs, and that nothing held out is learned from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pointsman_indexer import Exclusions
from pointsman_indexer.holdout import Material, gather

FUNCTION = '''

def {name}(value, other):
    """{doc}"""
    total = value + other
    for step in range(total):
        total += step * {number}
    return total
'''
WORDS = ("cookies", "sessions", "routes", "headers", "ranges", "tokens", "streams", "locks", "queues", "timers")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "tests").mkdir(parents=True)
    for number, word in enumerate(WORDS):
        functions = [
            FUNCTION.format(name=f"{verb}_all_{word}", doc=f"{verb.title()} the {word} that are known here.", number=n)
            for n, verb in enumerate(("count", "merge", "close"), number)
        ]
        (root / f"{word}.py").write_text("import os\n" + "".join(functions))
    (root / "tests" / "test_all.py").write_text(
        "def test_counting_gives_what_was_put_into_the_jar():\n    count_all_cookies(1, 2)\n"
    )
    return root


def paths_of(material: Material) -> set[str]:
    return {one.path for one in material.lessons}


def test_nothing_of_a_held_file_is_learned(root: Path) -> None:
    material = gather(root, Exclusions(root))
    asked = {question.query for question in material.questions}
    assert 9 <= len(asked) <= 16
    assert not asked & {one.query for one in material.lessons}
    learned = set(material.learned)
    for question in material.questions:
        assert question.answers and not learned & set(question.answers)
    assert {one.piece for one in material.lessons} <= learned
    assert {"docstring", "identifier"} <= material.kinds.keys()


def test_documentation_is_not_in_what_is_searched(root: Path) -> None:
    material = gather(root, Exclusions(root))
    assert not [piece for piece in material.pieces if "known here" in piece]


def test_the_seed_alone_decides(root: Path) -> None:
    assert gather(root, Exclusions(root)) == gather(root, Exclusions(root))
    assert gather(root, Exclusions(root), seed=1) != gather(root, Exclusions(root))


def test_excluded_files_give_no_pairs_and_no_pieces(root: Path) -> None:
    (root / ".pointsmanignore").write_text("cookies.py\n")
    material = gather(root, Exclusions(root, ("locks.py",)))
    assert not paths_of(material) & {"cookies.py", "locks.py"}
    for text in (
        *material.pieces,
        *(one.query for one in material.lessons),
        *(q.query for q in material.questions),
    ):
        # A test may call what is excluded; what it is and does stays unknown.
        assert "merge_all_cookies" not in text and "the cookies" not in text and "all_locks" not in text


def commit(root: Path, message: str) -> None:
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for arguments in (["add", "-A"], ["commit", "-qm", message]):
        subprocess.run([*git, *arguments], cwd=root, check=True)


def test_a_commit_asks_for_the_pieces_that_it_wrote(root: Path) -> None:
    subprocess.run(["git", "-c", "init.defaultBranch=main", "init", "-q"], cwd=root, check=True)
    commit(root, "Begin with a handful of modules that all look alike")
    for word in WORDS:
        file = root / f"{word}.py"
        file.write_text(
            file.read_text() + f"\n\ndef expire_{word}(clock):\n    deadline = clock.now() - 30\n"
            f"    stale_{word} = [one for one in clock if one < deadline]\n    return stale_{word}\n"
        )
        (root / "test_expiry.py").write_text(
            f"def test_{word}_expire():\n    clock = made_of({word!r})\n    stale = expire_{word}(clock)\n"
            "    assert not stale\n"
        )
        commit(root, f"Forget the {word} of visitors who stay away for too long")
    material = gather(root, Exclusions(root))
    taught = {(one.path, one.query): material.pieces[one.piece] for one in material.lessons}
    from_commits = {key: piece for key, piece in taught.items() if "visitors" in key[1]}
    assert material.kinds["commit"] == len(from_commits) > 3
    for (path, query), piece in from_commits.items():
        word = path.removesuffix(".py")
        assert word in query and f"expire_{word}" in piece and not path.startswith("test_")

    hidden = gather(root, Exclusions(root, ("routes.py",)))
    assert not [one for one in hidden.lessons if "routes" in one.query]
