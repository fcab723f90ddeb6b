"""Keeps what left and what came back, where policy asks for it: encrypted so that this machine cannot read it again.

X25519 with a key that is used once, HKDF-SHA256, ChaCha20-Poly1305. Policy holds the public half; the private half
belongs elsewhere. The audit record holds the hash of the encrypted file.
"""

from __future__ import annotations

import hashlib
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pointsman import safefile
from pointsman.errors import ConfigError, GatewayError, NotFound

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

Part = Literal["request", "reply"]
_MAGIC = b"pointsman sealed 1\n"
_PREFIX = "x25519:"


class SealedBodies:
    """Files `ID.request` and `ID.reply` in one folder, 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, record: str, part: Part, data: bytes, public_key: str | None) -> dict[str, str]:
        """Encrypt and keep `data`; returns what the audit record says of it, {} without a key.

        Raises `GatewayError` when it cannot be written.
        """
        if public_key is None:
            return {}
        sealed = _seal(bytes.fromhex(public_key.removeprefix(_PREFIX)), data, _bound_to(record, part))
        try:
            safefile.replace(self._folder / f"{record}.{part}", sealed)
        except OSError as error:
            raise GatewayError(f"the body cannot be kept ({error.strerror}), so nothing is sent") from error
        return {f"sealed_{part}_sha256": hashlib.sha256(sealed).hexdigest()}

    def open(self, record: str, part: Part, private_key: bytes) -> bytes:
        """Raises `NotFound`, `ConfigError` for a file that others could change, `GatewayError` for the wrong key."""
        if not record.isalnum():
            raise NotFound(f"no body of {record!r} is kept")
        try:
            sealed = safefile.read(self._folder / f"{record}.{part}", private=True, largest=64 << 20)
        except FileNotFoundError:
            raise NotFound(
                f"no {part} of {record} is kept", remedy="policy keeps bodies with audit.bodies_key"
            ) from None
        return _unseal(private_key, sealed, _bound_to(record, part))

    def prune(self, before: date | None) -> None:
        """Forget bodies that are older than the oldest record. What cannot be removed stays."""
        if before is None or not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if date.fromtimestamp(path.stat().st_mtime) < before:  # noqa: DTZ012 (a day more or less is no matter)
                path.unlink(missing_ok=True)


def new_key(file: Path) -> str:
    """Write a private key to a new file, 0600; returns the public one as policy takes it. Raises `ConfigError`."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{file} cannot be created: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(key.private_bytes_raw().hex().encode() + b"\n")
            out.flush()
            os.fsync(descriptor)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    return _PREFIX + key.public_key().public_bytes_raw().hex()


def read_key(file: Path) -> bytes:
    """Raises `ConfigError` when the file is no private key or can be read by others."""
    try:
        key = bytes.fromhex(safefile.read(file, private=True, largest=4096).decode("ascii").strip())
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist") from None
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ConfigError(f"{file} holds no key", remedy="pointsman audit keygen FILE")
    return key


def _bound_to(record: str, part: Part) -> bytes:
    return f"{record}.{part}".encode()


def _seal(public_key: bytes, data: bytes, bound_to: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    once = X25519PrivateKey.generate()
    shared = once.exchange(X25519PublicKey.from_public_bytes(public_key))
    mine = once.public_key().public_bytes_raw()
    return _MAGIC + mine + _cipher(shared, mine + public_key).encrypt(bytes(12), data, bound_to)


def _unseal(private_key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    key = X25519PrivateKey.from_private_bytes(private_key)
    theirs, content = sealed[len(_MAGIC) : len(_MAGIC) + 32], sealed[len(_MAGIC) + 32 :]
    if not sealed.startswith(_MAGIC) or len(theirs) != 32:
        raise GatewayError("what is kept is no sealed body")
    public = key.public_key().public_bytes_raw()
    shared = key.exchange(X25519PublicKey.from_public_bytes(theirs))
    try:
        return _cipher(shared, theirs + public).decrypt(bytes(12), content, bound_to)
    except InvalidTag:
        raise GatewayError("this key does not open the body, or the body was changed") from None


def _cipher(shared: bytes, info: bytes) -> ChaCha20Poly1305:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # The key is used once, so a constant nonce is never used twice with it.
    return ChaCha20Poly1305(HKDF(algorithm=SHA256(), length=32, salt=None, info=_MAGIC + info).derive(shared))
