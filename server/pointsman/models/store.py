"""The installed models: pulls them, checks every file against what is trusted before use, and rolls back.

Trusted are the hashes of the catalogue, and for hub models those locked at the first pull. A pull that fails, is
stopped or is killed leaves the version before it in use. Knows nothing of engines, and of licences only what a card
and the caller's allow-list say.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointsman.errors import EngineError, ModelMissing, NotFound, PolicyRefusal, VerificationError
from pointsman.models.card import Card
from pointsman.models.catalogue import Catalogue
from pointsman.models.download import sha256_of
from pointsman.models.folders import Folders, Manifest, plain_files, read_manifest
from pointsman.models.locks import Pin, TrustLock, catalogue_pin, source_name, write_json
from pointsman.models.pull import PullProgress, pull_files
from pointsman.settings import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class PullResult:
    name: str
    folder: Path
    version: str
    changed: bool
    """False when this very version was installed and sound: nothing was fetched."""
    locked: Pin | None
    """What was trusted because it came first, to be shown to the user; None when hashes were known before."""
    bytes: int
    """Size of the installed files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    name: str
    folder: Path
    version: str
    replaced: str
    """Version that was in use; a second rollback returns to it."""


class ModelStore:
    """The models of one user.

    Args:
        hub_endpoint: base URL of the hub; "" means HF_ENDPOINT, else the public one.
    """

    def __init__(self, paths: Paths, catalogue: Catalogue, *, hub_endpoint: str = "") -> None:
        self._catalogue = catalogue
        self._folders = Folders(paths.models)
        self._lock = TrustLock(paths)
        self._stamps = paths.cache / "verified"
        self._hub_endpoint = hub_endpoint

    def installed(self, name: str) -> bool:
        """Whether a version is in use; its files are not looked at."""
        return self._folders.current(self._catalogue.get(name).name) is not None

    def version(self, name: str) -> str:
        """The version in use; "" when the model is not installed."""
        folder = self._folders.current(name)
        return folder.name if folder else ""

    def sha256(self, name: str, folder: Path, file: str) -> str:
        """Of a file in the folder of some version, as it is trusted; "" where nothing vouches for it."""
        pin = self._pin(self._catalogue.get(name), folder)
        return pin.files.get(file, "") if pin else ""

    def folder(self, name: str) -> Path:
        """Folder of the version in use, with its files in place but not checked.

        Raises `NotFound` for a name that no card has and `ModelMissing` when the model is not installed.
        """
        folder = self._folders.current(self._catalogue.get(name).name)
        if folder is None:
            raise ModelMissing(f"{name} is not installed", remedy=_again(self._catalogue.get(name)))
        return folder

    def manifest(self, name: str) -> Manifest | None:
        """None when the model is not installed. Raises `VerificationError` when the manifest is damaged."""
        return read_manifest(self.folder(name)) if self.installed(name) else None

    def lock(self, name: str) -> Pin | None:
        """What a pull of this model must bring: the catalogue's hashes, or what was locked; None before that."""
        card = self._catalogue.get(name)
        return catalogue_pin(card) or self._locked(card)

    def verify(self, name: str) -> None:
        """Read and hash every file. Raises `VerificationError` naming the first wrong one, or `ModelMissing`."""
        self._verify(self._catalogue.get(name), self.folder(name), stamped=False)

    def verified_folder(self, name: str) -> Path:
        """The folder, once every file matches its hash; to be called before a model is loaded.

        Files that have not changed since they were last hashed (by size, times and inode) are not hashed again.
        Raises as `verify` does, and `EngineError` for a model that only code from the hub could run.
        """
        card = self._catalogue.get(name)
        folder = self.folder(name)
        check_usable(card)
        self._verify(card, folder, stamped=True)
        return folder

    def pull(
        self,
        name: str,
        *,
        accept_terms: bool,
        progress: Callable[[PullProgress], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        allowed_licences: Sequence[str] | None = None,
        relock: bool = False,
    ) -> PullResult:
        """Bring `name` and make it the version in use; does nothing when it is there and sound.

        Args:
            allowed_licences: SPDX identifiers that policy allows; None allows all.
            relock: take a hub model's newest revision and trust it anew, instead of the locked one.
        Raises `PolicyRefusal` (licence not allowed, terms not accepted), `VerificationError` (wrong bytes),
        `PointsmanError` (network, disk, another pull), `KeyboardInterrupt`; the version in use stays in all cases.
        """
        card = self._catalogue.get(name)
        check_licence(card, allowed_licences)
        with self._folders.exclusive():
            self._folders.sweep(name)
            before = self._folders.current(name)
            if not relock and (wanted := self.lock(name)) and (folder := self._present(card, wanted)):
                if self._lock.pin(name, wanted.version) is None:
                    self._lock.trust(name, wanted)
                if folder != before:
                    self._folders.use(name, folder)
                return self._result(card, folder, changed=folder != before, locked=None)
            if card.terms and not accept_terms:
                raise PolicyRefusal(
                    f"the terms of {name} must be accepted first: {card.licence_url}",
                    rule="models.terms",
                    remedy=f"pointsman models pull {name} --accept-terms",
                )
            locked = None if relock else self._locked(card)
            done = pull_files(
                card,
                self._folders,
                locked=locked,
                present=lambda pin: self._present(card, pin),
                hub_endpoint=self._hub_endpoint,
                progress=progress or (lambda _: None),
                should_stop=should_stop or (lambda: False),
            )
            # Trust before use: a crash in between leaves a pin without files, never files without a pin.
            self._lock.trust(name, done.pin)
            self._folders.use(name, done.folder)
            self._lock.keep(name, self._folders.sweep(name, earlier=before))
        first_use = done.pin if catalogue_pin(card) is None and locked is None else None
        return self._result(card, done.folder, changed=True, locked=first_use)

    def rollback(self, name: str) -> RollbackResult:
        """Return to the version that the last pull replaced. Raises `NotFound` or `VerificationError`."""
        card = self._catalogue.get(name)
        with self._folders.exclusive():
            current = self.folder(name)
            others = self._folders.others(name)
            if not others:
                raise NotFound(f"{name} has no earlier version")
            self._verify(card, others[0], stamped=False)
            if (pin := self._pin(card, others[0])) is not None:
                self._lock.trust(name, pin)
            self._folders.use(name, others[0])
        return RollbackResult(name=name, folder=others[0], version=others[0].name, replaced=current.name)

    def _result(self, card: Card, folder: Path, *, changed: bool, locked: Pin | None) -> PullResult:
        size = sum(status.st_size for status in plain_files(folder).values())
        return PullResult(
            name=card.name, folder=folder, version=folder.name, changed=changed, locked=locked, bytes=size
        )

    def _locked(self, card: Card) -> Pin | None:
        """The lock of a hub model, while the catalogue still means the same repository and revision."""
        pin = self._lock.trusted(card.name)
        if pin is None or pin.source != source_name(card):
            return None
        return pin if card.source.revision in ("", pin.revision) else None

    def _present(self, card: Card, pin: Pin) -> Path | None:
        """The folder of exactly what `pin` says, when it is on disk and sound, in use or not."""
        folder = self._folders.version(card.name, pin.version)
        try:
            read_manifest(folder)
            self._check(card, folder, pin, stamped=False)
        except VerificationError:
            return None
        return folder

    def _pin(self, card: Card, folder: Path) -> Pin | None:
        known = catalogue_pin(card)
        return known if known is not None and known.version == folder.name else self._lock.pin(card.name, folder.name)

    def _verify(self, card: Card, folder: Path, *, stamped: bool) -> None:
        pin = self._pin(card, folder)
        if pin is None or pin.version != folder.name:
            raise VerificationError(f"nothing vouches for the installed {card.name}", remedy=_again(card))
        self._check(card, folder, pin, stamped=stamped)

    def _check(self, card: Card, folder: Path, pin: Pin, *, stamped: bool) -> None:
        """Raises `VerificationError` unless the folder holds the files of `pin` and nothing else."""
        found = plain_files(folder)
        if wrong := found.keys() ^ pin.files.keys():
            name = min(wrong)
            raise VerificationError(
                f"{card.name}: {name} {'does not belong there' if name in found else 'is missing'}",
                remedy=_again(card),
            )
        stamp = {n: [s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, pin.files[n]] for n, s in found.items()}
        remembered = self._stamps / f"{card.name}.json"
        if stamped and _read(remembered) == stamp:
            return
        for name, sha256 in pin.files.items():
            try:
                digest = sha256_of(folder / name)
            except OSError as error:
                raise VerificationError(f"{card.name}: {name} cannot be read", remedy=_again(card)) from error
            if digest != sha256:
                raise VerificationError(f"{card.name}: {name} does not match its sha256", remedy=_again(card))
        with contextlib.suppress(OSError):  # without a stamp the next check reads the files again, no more
            self._stamps.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(remembered, stamp)


def check_licence(card: Card, allowed: Sequence[str] | None) -> None:
    """Raises `PolicyRefusal` when policy's allow-list does not name the licence. None allows all."""
    if allowed is not None and card.licence not in allowed:
        raise PolicyRefusal(
            f"{card.name} has the licence {card.licence}, which policy does not allow",
            rule="models.licences",
            remedy=f"allowed: {', '.join(allowed) or 'none'}",
        )


def check_usable(card: Card) -> None:
    """Raises `EngineError` when only code from the hub could run the model: such code never runs here."""
    if card.needs_remote_code:
        raise EngineError(f"{card.name} needs code from the hub, which is never run", remedy="choose another model")


def _again(card: Card) -> str:
    return f"pointsman models pull {card.name}"


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
