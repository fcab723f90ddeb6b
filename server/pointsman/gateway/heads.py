"""What is kept beside the audit log, signed: its newest head, and the head before each segment.

By the first, lines cut from the end are missed; from the others the chain goes on where older segments were removed.
"""

from __future__ import annotations

from pathlib import Path

from pointsman import safefile
from pointsman.errors import ConfigError, GatewayError, VerificationError
from pointsman.gateway.segments import append_durably, cut_torn
from pointsman.gateway.signing import Head, Signer


class Heads:
    """The files in `folder`. Raises `OSError` where one cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "audit-head.json"
        self.checkpoints_file = folder / "audit-checkpoints.jsonl"
        self.signer = Signer(folder / "audit-key")

    def kept(self) -> Head | None:
        """The newest. Raises `VerificationError` when it is damaged or not signed here."""
        try:
            return self.signer.read(safefile.read(self.file))
        except FileNotFoundError:
            return None
        except ConfigError:
            raise VerificationError(
                "the head of the audit log is damaged, so nothing is sent", remedy="pointsman audit verify"
            ) from None

    def keep(self, signed: bytes) -> None:
        safefile.replace(self.file, signed)

    def line(self) -> bytes:
        """The newest as it is signed, to be kept elsewhere. Raises `GatewayError` when there is none,
        `VerificationError` when this machine did not sign it."""
        try:
            line = safefile.read(self.file)
        except FileNotFoundError:
            raise GatewayError("there is no audit log yet") from None
        except ConfigError as error:
            raise VerificationError(error.message, remedy=error.remedy) from None
        self.signer.read(line)
        return line

    def from_elsewhere(self, line: bytes) -> Head:
        """A head that was kept elsewhere. Raises `VerificationError` when this machine did not sign it."""
        self.signer.public_key()  # Without it no head can be judged, and its own error says so.
        try:
            return self.signer.read(line)
        except VerificationError:
            raise VerificationError(
                "what the log is to be checked against is no head that this machine signed",
                remedy="give the file with what `pointsman audit head` printed",
            ) from None

    def checkpoints(self) -> list[Head]:
        """Heads at the beginnings of segments. Raises `VerificationError` when one is not signed by this machine."""
        try:
            lines = safefile.read(self.checkpoints_file, largest=64 << 20).split(b"\n")
        except FileNotFoundError:
            return []
        except ConfigError as error:
            raise VerificationError(error.message) from error
        return [self.signer.read(line) for line in lines[:-1]]  # What a crash cut short has no end of line.

    def add_checkpoint(self, head: Head) -> None:
        cut_torn(self.checkpoints_file)
        append_durably(self.checkpoints_file, self.signer.sign(head) + b"\n")
