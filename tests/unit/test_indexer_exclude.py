"""What is never read."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from pydantic import ValidationError

from pointsman.policy.schema import Exclude
from pointsman_indexer import Exclusions, ExclusionsInvalid


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "deploy/.env.production",
        "prod.env",
        ".ENV",
        "certs/Server.PEM",
        "a/b/id_rsa",
        "a/id_ed25519.pub",
        "home/.ssh/config",
        "x/.aws/credentials",
        "tls/site.crt",
        "k.p12",
        "infra/terraform.tfstate",
        ".git/config",
        "src/settings.py~",
        "src/.settings.py.swp",
        "conf/service-account-prod.json",
        ".kube/config",
        "../outside.py",
        "/etc/passwd",
        "a/../../b",
        "a\0b",
        "",
    ],
)
def test_the_built_in_list_excludes(tmp_path: Path, path: str) -> None:
    assert Exclusions(tmp_path).excludes(path) is not None


@pytest.mark.parametrize(
    "path",
    ["src/app.py", "environment.py", "docs/keys.md", "src/key.py", "tests/test_env.py", "credentials.py", "é.py"],
)
def test_it_lets_code_through(tmp_path: Path, path: str) -> None:
    assert Exclusions(tmp_path).excludes(path) is None


def test_each_list_names_its_rule(tmp_path: Path) -> None:
    (tmp_path / ".pointsmanignore").write_text("# ours\nprivate/\n!private/open.txt\n*.dump\n")
    exclusions = Exclusions(tmp_path, ["Secret*.py"])
    assert exclusions.excludes("x/a.DUMP") == ".pointsmanignore: *.dump"
    assert exclusions.excludes("Private/a/b.py") == ".pointsmanignore: private/"
    assert exclusions.excludes("lib/secretkeeper.PY") == "policy: Secret*.py"
    assert exclusions.excludes("a/.envrc") == "built-in: .envrc"


def test_no_list_takes_back_what_another_excludes(tmp_path: Path) -> None:
    (tmp_path / ".pointsmanignore").write_text("!.env\n!*.pem\n!held.py\n")
    exclusions = Exclusions(tmp_path, ["held.py", "!.env"])
    assert exclusions.excludes(".env") and exclusions.excludes("a.pem") and exclusions.excludes("held.py")


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    exclusions = Exclusions(tmp_path, [unicodedata.normalize("NFC", "Gehälter/")])
    assert exclusions.excludes(unicodedata.normalize("NFD", "gehälter/2026.csv"))
    assert Exclusions(tmp_path, [unicodedata.normalize("NFD", "é.py")]).excludes("É.py")


def test_a_bad_pattern_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    (tmp_path / ".pointsmanignore").write_text("fine\n!\n")
    with pytest.raises(ExclusionsInvalid, match=r"\.pointsmanignore line 2"):
        Exclusions(tmp_path)


def test_an_unreadable_list_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".pointsmanignore").mkdir()
    with pytest.raises(ExclusionsInvalid, match="cannot be read"):
        Exclusions(tmp_path)
    (tmp_path / ".pointsmanignore").rmdir()
    (tmp_path / ".pointsmanignore").write_bytes(b"\xff\xfe*\x00")
    with pytest.raises(ExclusionsInvalid):
        Exclusions(tmp_path)


def test_a_pipe_or_a_link_for_a_list_is_an_error_and_no_wait(tmp_path: Path) -> None:
    """In a process of its own, since one that opens a pipe to read waits until someone writes."""
    os.mkfifo(tmp_path / ".pointsmanignore")
    code = "import pathlib, sys; from pointsman_indexer import Exclusions; Exclusions(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "ExclusionsInvalid" in done.stderr
    (tmp_path / ".pointsmanignore").unlink()
    (tmp_path / "list").write_text("*.py\n")
    (tmp_path / ".pointsmanignore").symlink_to("list")  # trust covers a link's words, not what it leads to
    with pytest.raises(ExclusionsInvalid, match="cannot be read"):
        Exclusions(tmp_path)


def test_the_fingerprint_follows_the_patterns(tmp_path: Path) -> None:
    plain, other = Exclusions(tmp_path), Exclusions(tmp_path, ["x"])
    assert plain.fingerprint == Exclusions(tmp_path).fingerprint != other.fingerprint


def test_importing_it_loads_neither_grammars_nor_stores() -> None:
    heavy = ("tree_sitter", "qdrant_edge", "qdrant_client", "git", "sqlite3", "pointsman")
    code = f"import sys, pointsman_indexer.exclude; sys.exit(sum(name in sys.modules for name in {heavy!r}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


LISTS = [
    "private/\n!README.md",
    "secret/\n!secret/public.txt",
    "/secret/**\n!/secret/a/b.txt",
    "a/\n!a/b/",
    "a/*\n!a/b/\na/b/*\n!a/b/keep.txt",
    "*.txt\n!keep.txt\n/a/b/keep.txt",
    "*\n!a/\n!*.md",
    "**/b\n!b",
    "a/**/c.txt",
    "sec**/public.txt",
    "[!A-Z]*.cfg",
    "[^q-z]*.cfg\n![p]rod.cfg",
    "z[[:digit:]].txt",
    "z[![:alpha:]_].txt",
    "[]z]*.txt\nz[+-9]1.txt",
    "\\!odd\\ \n\\#*",
    "a//b\nprivate\\/README.md",
]
FILES = [
    *("README.md", "private/README.md", "private/deep/x.txt", "secret/public.txt", "secret/a/b.txt", "a/b/c.txt"),
    *(
        "a/b/keep.txt",
        "a/keep.txt",
        "a/x.md",
        "prod.cfg",
        "quiet.cfg",
        "9.cfg",
        "z1.txt",
        "za.txt",
        "z_.txt",
        "zz1.txt",
    ),
    *("!odd ", "#hash", "b", "keep.txt", "sub/[z.txt"),
]


@pytest.mark.parametrize("patterns", LISTS)
def test_a_list_means_what_it_means_to_git(tmp_path: Path, patterns: str) -> None:
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    for name in (".gitignore", ".pointsmanignore"):
        (tmp_path / name).write_text(patterns + "\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    asked = ["git", "-c", "core.ignoreCase=false", "-C", tmp_path, "check-ignore", "--no-index", "-z", "--stdin"]
    found = subprocess.run(asked, input="\0".join(FILES), stdout=subprocess.PIPE, text=True, check=False).stdout
    exclusions = Exclusions(tmp_path)
    assert [file for file in FILES if exclusions.excludes(file)] == [
        file for file in FILES if file in found.split("\0")
    ]


def test_case_takes_nothing_back(tmp_path: Path) -> None:
    (tmp_path / ".pointsmanignore").write_text("*.md\n!README.md\n[Z-a]x.py\n")
    exclusions = Exclusions(tmp_path)
    assert exclusions.excludes("README.md") is None
    assert exclusions.excludes("readme.md") and exclusions.excludes("notes.MD")
    assert exclusions.excludes("Zx.py") and exclusions.excludes("zX.PY") and not exclusions.excludes("bx.py")


def test_other_spellings_of_a_path_are_the_same_path(tmp_path: Path) -> None:
    exclusions = Exclusions(tmp_path, ["a/b.py", "folder/"])
    assert exclusions.excludes("./a//./b.py") and exclusions.excludes("folder/") and exclusions.excludes("a\n/x.pem")
    assert exclusions.excludes("folder") is None and exclusions.excludes("folder\udc80/x.pem") is not None


@pytest.mark.parametrize("pattern", ["[z-a]", "x[[:nonsense:]]", "open[", "end\\", "!", "a\0b"])
def test_what_fits_nothing_is_an_error(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ExclusionsInvalid, match="policy line 2: not a gitignore pattern"):
        Exclusions(tmp_path, ["fine", pattern])
    with pytest.raises(ValidationError):
        Exclude(paths=(pattern,))


@pytest.mark.parametrize("pattern", ["z[[:digit:]].txt", "[Z-a]*", "*.py"])
def test_what_a_policy_admits_can_be_matched(tmp_path: Path, pattern: str) -> None:
    assert Exclusions(tmp_path, Exclude(paths=(pattern,)).paths).excludes("quiet.rs") is None


def test_of_many_patterns_the_right_one_is_named(tmp_path: Path) -> None:
    exclusions = Exclusions(tmp_path, [f"secret{number:04d}*" for number in range(5_000)])
    assert exclusions.excludes("a/Secret4321.txt") == "policy: secret4321*"
    assert not any(exclusions.excludes(f"src/{number % 100}/secret.py") for number in range(10_000))
