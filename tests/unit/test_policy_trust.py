"""Trust: given by the user, kept to a path and to content, ended by one changed byte."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pointsman.errors import ConfigError, NotFound
from pointsman.policy.trust import Trust


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(tmp_path / "config")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    (root / ".pointsman" / "deep").mkdir(parents=True)
    (root / ".pointsman" / "policy.toml").write_text("version = 1\n")
    (root / ".pointsmanignore").write_text("data/\n")
    (root / "code.py").write_text("x = 1\n")
    return root


def test_given_and_taken_back(trust: Trust, repo: Path) -> None:
    assert not trust.is_trusted(repo)
    assert trust.trust(repo) == str(repo)
    assert trust.is_trusted(repo)
    assert trust.file.stat().st_mode & 0o777 == 0o600
    assert trust.untrust(repo) and not trust.untrust(repo)
    assert not trust.is_trusted(repo)


CHANGES: list[Callable[[Path], object]] = [
    lambda r: (r / ".pointsman" / "policy.toml").write_text("version = 1 \n"),
    lambda r: (r / ".pointsmanignore").write_text("date/\n"),
    lambda r: (r / ".pointsmanignore").unlink(),
    lambda r: (r / ".pointsman" / "new").write_text(""),
    lambda r: (r / ".pointsman" / "deep" / "new").mkdir(),
    lambda r: (r / ".pointsman" / "link").symlink_to("/etc/passwd"),
    lambda r: (r / ".pointsman" / "policy.toml").rename(r / ".pointsman" / "policy2.toml"),
    lambda r: (r / ".pointsman").rename(r / "was"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_matters_ends_it(trust: Trust, repo: Path, change: Callable[[Path], object]) -> None:
    trust.trust(repo)
    change(repo)
    assert not trust.is_trusted(repo)


def test_a_change_of_code_does_not(trust: Trust, repo: Path) -> None:
    trust.trust(repo)
    (repo / "code.py").write_text("x = 2\n")
    assert trust.is_trusted(repo)


def test_it_follows_the_real_path_and_no_other(trust: Trust, repo: Path, tmp_path: Path) -> None:
    trust.trust(repo)
    (tmp_path / "link").symlink_to(repo)
    assert trust.is_trusted(tmp_path / "link")
    assert not trust.is_trusted(tmp_path)
    assert not trust.is_trusted(repo / ".pointsman")


def test_another_repository_at_the_same_place_through_a_link(trust: Trust, repo: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(repo)
    trust.trust(link)
    link.unlink()
    link.mkdir()
    assert not trust.is_trusted(link)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"workspaces": 1}', b'{"workspaces": {"/": 1}}', b"[" * 99999])
def test_a_damaged_store_trusts_nothing_and_is_not_overwritten(trust: Trust, repo: Path, content: bytes) -> None:
    trust.trust(repo)
    trust.file.write_bytes(content)
    assert not trust.is_trusted(repo)
    with pytest.raises(ConfigError):
        trust.trust(repo)
    assert trust.file.read_bytes() == content


def test_a_store_that_others_may_write_trusts_nothing(trust: Trust, repo: Path) -> None:
    trust.trust(repo)
    trust.file.chmod(0o666)
    assert not trust.is_trusted(repo)


def test_no_folder_no_trust(trust: Trust, repo: Path) -> None:
    with pytest.raises(NotFound):
        trust.trust(repo / "code.py")


def test_too_much_to_read_is_not_trusted(trust: Trust, repo: Path) -> None:
    for number in range(1001):
        (repo / ".pointsman" / str(number)).touch()
    with pytest.raises(ConfigError, match="too much"):
        trust.trust(repo)


def test_many_at_once_lose_none(trust: Trust, tmp_path: Path) -> None:
    repos = [tmp_path / f"r{number}" for number in range(12)]
    for repo in repos:
        repo.mkdir()
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(trust.trust, repos))
    assert all(map(trust.is_trusted, repos))
