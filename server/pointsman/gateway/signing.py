"""Signs where the audit log ends: Ed25519, with a key of this machine that stays beside the log, not in it.

It tells a log that was rewritten by somebody without the key from one that was not. Who has the user's account has the
key as well: copy a signed head elsewhere (`pointsman audit head`), and no later rewriting agrees with it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman import safefile
from pointsman.errors import ConfigError, VerificationError

_DAMAGED = "the head of the audit log is damaged, so nothing is sent"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record at some time: its number, 0 for none, and its hash."""

    seq: int
    hash: str


@dataclass(slots=True)
class Signer:
    """The key in `file`, made at first use."""

    file: Path
    _key: bytes = b""

    def sign(self, head: Head) -> bytes:
        """The head as one line of JSON with its signature. Raises `OSError` or `VerificationError`."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self._private(create=head.seq == 1))
        value = {
            "seq": head.seq,
            "hash": head.hash,
            "public_key": key.public_key().public_bytes_raw().hex(),
            "signature": key.sign(_signed(head)).hex(),
        }
        return json.dumps(value).encode()

    def read(self, line: bytes) -> Head:
        """The head that a line of JSON states. Raises `VerificationError` when this machine's key did not sign it."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            value: Any = json.loads(line)
            head = Head(int(value["seq"]), str(value["hash"]))
            signature = bytes.fromhex(value["signature"])
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key())).verify(signature, _signed(head))
        except (ValueError, KeyError, TypeError, RecursionError, InvalidSignature):
            raise VerificationError(_DAMAGED, remedy="pointsman audit verify") from None
        return head

    def public_key(self) -> str:
        """In hexadecimal. Raises `VerificationError` when there is no key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._private(create=False)).public_key().public_bytes_raw().hex()

    def _private(self, *, create: bool) -> bytes:
        if not self._key:
            try:
                if create:
                    safefile.create(self.file, os.urandom(32))
                self._key = safefile.read(self.file, private=True)
            except (FileNotFoundError, ConfigError):
                self._key = b""
            if len(self._key) != 32:
                self._key = b""
                raise VerificationError(
                    "the key of the audit log is missing or damaged, so nothing is sent",
                    remedy="restore it, or move the audit folder and its head away to begin a new log",
                )
        return self._key


def _signed(head: Head) -> bytes:
    return f"pointsman audit head 1\n{head.seq}\n{head.hash}\n".encode()
