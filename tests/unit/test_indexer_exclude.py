"""What is never read."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

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


def test_the_fingerprint_follows_the_patterns(tmp_path: Path) -> None:
    plain, other = Exclusions(tmp_path), Exclusions(tmp_path, ["x"])
    assert plain.fingerprint == Exclusions(tmp_path).fingerprint != other.fingerprint


def test_importing_it_loads_neither_grammars_nor_stores() -> None:
    heavy = ("tree_sitter", "qdrant_edge", "qdrant_client", "git", "sqlite3", "pointsman")
    code = f"import sys, pointsman_indexer.exclude; sys.exit(sum(name in sys.modules for name in {heavy!r}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
