"""Files made to be slow or to break parsers: each is told of, and costs the files beside it nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman_indexer import Index
from tests.unit.indexer_repo import CountingEmbedder, Repo, function

MEGABYTE = 1_000_000
SHAPES = {
    "words on one line": b"foo bar " * (MEGABYTE // 8),
    "statements on one line": b"x=1;" * (MEGABYTE // 4),
    "brackets": b"[" * 100_000 + b" word",
    "brackets, balanced": b"[" * 50_000 + b" word " + b"]" * 50_000,
    "brackets, a megabyte": b"[" * MEGABYTE,
    "objects": b'{"a":' * 160_000,
    "mixed": b"({[" * 33_000 + b" word",
    "templates": b"`${" * 300_000 + b" word",
    "anchors": b"- &a *a\n" * 120_000,
    "quotes": b"> " * 400_000 + b"word\n",
    "headings": b"# h\n" * 240_000,
    "decorators": b"@a\n" * 330_000,
    "an open string": b'x = """' + b"a\n" * 490_000,
    "pointers": b"int " + b"*" * 900_000 + b"x;",
    "conditions": b"#if X\n" * 160_000,
}
LAUGHS = b"a: &a [lol, lol]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + level, 98 + level, b", ".join([b"*%c" % (97 + level)] * 9)) for level in range(24)
)


@pytest.mark.parametrize("extension", ["py", "js", "ts", "json", "yaml", "c", "md"])
def test_each_is_told_of_or_indexed_and_the_others_are_whole(tmp_path: Path, extension: str) -> None:
    repo = Repo(tmp_path / "repo")
    repo.write("before.py", function("before"))
    for number, data in enumerate(SHAPES.values()):
        repo.write(f"m{number}.{extension}", data)
    repo.write("z_after.py", function("after"))
    with Index.open(repo.root, tmp_path / "data", CountingEmbedder()) as index:
        report = index.update(embed=False)
        assert report.files + sum(report.skipped.values()) == len(SHAPES) + 2
        assert report.skipped.keys() <= {"too_slow", "crashed"}
        # Most are too much for some limit of every grammar; none of those passes for a file that was parsed.
        assert report.notes.get("as_text", 0) + sum(report.skipped.values()) >= 4
        assert {"before", "after"} <= {one.symbol for one in index.chunks()}


def test_what_is_told_of_is_still_found_by_its_words(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    repo.write("deep.py", b"[" * 100_000 + b"\nzanzibarian\n")
    repo.write("deep.yaml", b"- " * 50_000 + b"x\nmozambican: 1\n")
    repo.write("bomb.yaml", LAUGHS)
    repo.write("line.js", b"x" * 100_000_000)
    with Index.open(repo.root, tmp_path / "data", CountingEmbedder()) as index:
        report = index.update()
        assert (report.files, report.skipped, report.notes) == (3, {"too_large": 1}, {"as_text": 2})
        for word, path in (("zanzibarian", "deep.py"), ("mozambican", "deep.yaml"), ("lol", "bomb.yaml")):
            assert index.search(word, 1)[0].path == path
        # Aliases are not followed: what is indexed is no more than what is written.
        assert sum(len(one.text) for one in index.chunks() if one.path == "bomb.yaml") < 2 * len(LAUGHS)
