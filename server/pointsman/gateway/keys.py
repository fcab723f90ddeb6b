"""API keys by reference: `keyring:NAME`, `env:NAME`, `file:PATH`. A key is fetched when it is needed and kept nowhere.

Errors name the reference, never the key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import re2

from pointsman import safefile
from pointsman.errors import ConfigError

SERVICE = "pointsman"
"""Service name in the system's keyring."""
_SOUND = re2.compile(r"[\x21-\x7e]+")
_UNSAFE_BACKENDS = ("keyring.backends.null", "keyring.backends.fail", "keyrings.alt.")


class Key:
    """An API key that neither prints nor pickles."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not to be stored")


def resolve(reference: str, env: Mapping[str, str] | None = None) -> Key:
    """Fetch the key. Raises `ConfigError` when it is not there, is kept unsafely or cannot be a key."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = (os.environ if env is None else env).get(name)
    elif kind == "file":
        value = _from_file(name)
    elif kind == "keyring":
        value = _from_keyring(name)
    else:
        raise ConfigError("a key must be given as keyring:NAME, env:NAME or file:PATH")
    value = (value or "").strip()
    if not value:
        raise ConfigError(f"there is no key at {reference}", remedy=_how_to_give(kind, name))
    if len(value) > 4096 or _SOUND.fullmatch(value) is None:
        raise ConfigError(f"what {reference} holds is not a key: one line of printable ASCII is expected")
    return Key(value)


def _how_to_give(kind: str, name: str) -> str:
    if kind == "env":
        return f"set {name}; the host keeps the environment it was started with: pointsman host stop"
    if kind == "file":
        return f"write it into {name}, as one line, and: chmod 600 {name}"
    return f"python -m keyring set {SERVICE} {name}, with the Python that Pointsman runs in"


def _from_file(name: str) -> str:
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # ~NAME of nobody
        path = Path(name)
    if not path.is_absolute():
        raise ConfigError(f"file:{path} must be an absolute path")
    try:
        return safefile.read(path, private=True, largest=8192).decode("ascii", "replace")
    except FileNotFoundError:
        return ""


def _from_keyring(name: str) -> str | None:
    import keyring
    import keyring.errors

    backend = keyring.get_keyring()
    kinds = [type(part).__module__ for part in getattr(backend, "backends", [backend])]
    if any(f"{kind}.".startswith(_UNSAFE_BACKENDS) for kind in kinds):
        raise ConfigError(
            "this machine has no safe keyring", remedy="use file:PATH with mode 0600, or env:NAME, in the policy"
        )
    try:
        return keyring.get_password(SERVICE, name)
    except keyring.errors.KeyringError as error:
        raise ConfigError(f"keyring:{name} cannot be read ({type(error).__name__})") from None
