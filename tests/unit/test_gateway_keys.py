"""Keys by reference, and nowhere else."""

from __future__ import annotations

import pickle
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest

from pointsman.errors import ConfigError
from pointsman.gateway import keys

CANARY = "canary-0123456789"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    return path


def test_from_the_environment_and_from_a_file(file: Path) -> None:
    assert keys.resolve("env:K", {"K": CANARY}).reveal() == CANARY
    assert keys.resolve(f"file:{file}").reveal() == CANARY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602])
def test_a_file_for_others_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        keys.resolve(f"file:{file}")
    assert "chmod 600" in caught.value.remedy and CANARY not in str(caught.value)


def test_a_link_is_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(ConfigError):
        keys.resolve(f"file:{tmp_path / 'link'}")


@pytest.mark.parametrize("reference", ["env:MISSING", "file:/nonexistent/key", "file:relative", "inline:x", "sk-123"])
def test_what_is_not_there(reference: str) -> None:
    with pytest.raises(ConfigError):
        keys.resolve(reference, {})


@pytest.mark.parametrize("value", ["", " ", "a b", "a\r\nX-Evil: 1", "ключ", "x" * 5000, "a\x00b"])
def test_what_is_no_key(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keys.resolve("env:K", {"K": value})
    assert not value.strip() or value not in str(caught.value)


def test_a_key_neither_prints_nor_pickles() -> None:
    key = keys.Key(CANARY)
    assert CANARY not in f"{key} {key!r}"
    with pytest.raises(TypeError):
        pickle.dumps(key)


class Safe(keyring.backend.KeyringBackend):
    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return CANARY if (service, username) == ("pointsman", "vendor") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


def test_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", Safe)
    monkeypatch.setattr(keyring, "get_password", Safe().get_password)  # type: ignore[no-untyped-call]
    assert keys.resolve("keyring:vendor").reveal() == CANARY
    with pytest.raises(ConfigError, match="no key"):
        keys.resolve("keyring:other")


def test_a_chain_is_as_safe_as_its_worst_part(monkeypatch: pytest.MonkeyPatch) -> None:
    class Chain(Safe):
        backends = (Safe(), keyring.backends.null.Keyring())  # type: ignore[no-untyped-call]

    monkeypatch.setattr(keyring, "get_keyring", Chain)
    with pytest.raises(ConfigError, match="no safe keyring"):
        keys.resolve("keyring:vendor")


@pytest.mark.parametrize("unsafe", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring])
def test_a_keyring_that_keeps_nothing_safe_is_refused(monkeypatch: pytest.MonkeyPatch, unsafe: type) -> None:
    monkeypatch.setattr(keyring, "get_keyring", unsafe)
    with pytest.raises(ConfigError, match="keyring"):
        keys.resolve("keyring:vendor")
