"""What is trained on: packages pinned by version and checksum, of permissive licences."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

_MANIFEST = Path(__file__).with_name("manifest.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One archive. `licence` is what the archive's metadata stated when it was pinned."""

    registry: str
    """pypi, npm or debian."""
    name: str
    version: str
    sha256: str
    licence: str

    def archive(self, folder: Path) -> Path | None:
        """The archive below `folder`, or None when it was not fetched."""
        return next((folder / self.registry).glob(f"{self.sha256[:16]}-*"), None)


def read_manifest(path: Path = _MANIFEST) -> list[Package]:
    with path.open("rb") as file:
        return [Package(**entry) for entry in tomllib.load(file)["packages"]]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
