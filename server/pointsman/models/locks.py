"""Which bytes of a model are trusted: pins, kept in `config/models.lock.json` apart from the files they vouch for.

A pin is made when a model was pulled and its files matched the catalogue, or, for a hub model that the catalogue has
no hashes of, at its first pull (trust on first use, as ssh does with host keys). Whoever can change only the models'
folder cannot change what is trusted. Knows nothing of how files are fetched or laid out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cattrs
from cattrs.errors import BaseValidationError

from pointsman import safefile
from pointsman.errors import ConfigError
from pointsman.models.card import Card
from pointsman.settings import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One version of one model, byte for byte."""

    source: str
    """As "pypi name==version" or "hub owner/repository"."""
    revision: str
    """Commit on the hub; "" for packages, whose version is the revision."""
    files: Mapping[str, str]
    """sha256 of each file in the model's folder, by name."""
    served: Mapping[str, str] = field(default_factory=dict)
    """sha256 of each file as the hub served it, by path; differs from `files` where code was taken out of a config."""

    @property
    def version(self) -> str:
        """Short name of exactly these files: the same source, revision and bytes give the same version."""
        exact = json.dumps([self.source, self.revision, sorted(self.files.items())])
        return hashlib.sha256(exact.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    trusted: str
    """Version that the next pull must bring again."""
    pins: dict[str, Pin]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    version: int
    models: dict[str, _Entry]


_converter = cattrs.Converter(forbid_extra_keys=True)


def catalogue_pin(card: Card) -> Pin | None:
    """What the catalogue itself vouches for; None where it has no hashes and the first pull is trusted."""
    if card.source.kind != "pypi":
        return None
    files = {file.name: file.sha256 for file in card.files}
    return Pin(source=source_name(card), revision="", files=files)


def source_name(card: Card) -> str:
    return f"{card.source.kind} {card.source.location}"


class TrustLock:
    """The lock file. Read at each call, for another process may have pulled; written atomically, 0600.

    Every method raises `ConfigError` when the file cannot be read, is not what was written or is another user's.
    """

    def __init__(self, paths: Paths) -> None:
        self.path = paths.config / "models.lock.json"

    def pin(self, name: str, version: str) -> Pin | None:
        entry = self._read().models.get(name)
        return entry.pins.get(version) if entry is not None else None

    def trusted(self, name: str) -> Pin | None:
        """What a hub model was locked to; None before its first pull."""
        entry = self._read().models.get(name)
        return entry.pins.get(entry.trusted) if entry is not None else None

    def trust(self, name: str, pin: Pin) -> None:
        """Add `pin` and make it the one that the next pull must bring again. Older pins stay, for a rollback."""
        content = self._read()
        entry = content.models.get(name, _Entry(trusted="", pins={}))
        content.models[name] = _Entry(trusted=pin.version, pins={**entry.pins, pin.version: pin})
        self._write(content)

    def keep(self, name: str, versions: set[str]) -> None:
        """Forget pins of versions that are no longer on disk."""
        content = self._read()
        if (entry := content.models.get(name)) is None or entry.pins.keys() <= versions | {entry.trusted}:
            return
        kept = {v: p for v, p in entry.pins.items() if v in versions or v == entry.trusted}
        content.models[name] = replace(entry, pins=kept)
        self._write(content)

    def _read(self) -> _File:
        try:
            found = _converter.structure(json.loads(safefile.read(self.path)), _File)
        except FileNotFoundError:
            return _File(version=1, models={})
        except (ValueError, TypeError, BaseValidationError, RecursionError) as error:
            raise ConfigError(
                f"{self.path} cannot be read", remedy="restore it, or remove it and pull hub models again"
            ) from error
        if found.version != 1:
            raise ConfigError(f"{self.path} was written by a newer version", remedy="update Pointsman")
        return found

    def _write(self, content: _File) -> None:
        write_json(self.path, _converter.unstructure(content))


def write_json(path: Path, value: object) -> None:
    """Write `value` so that after a crash the file is the old one or the new one. Mode 0600. Raises `OSError`."""
    safefile.replace(path, json.dumps(value, indent=1, sort_keys=True).encode("ascii") + b"\n")
