"""A snapshot's file: a tar archive of three members whose hashes its manifest tells. Written at once or not at all.

    manifest.json       what it is: format, catalogue's schema, embedder, revision, and each member's size and SHA-256
    versions.jsonl.gz   a JSON object a line (`snapshot`)
    vectors.bin         records of a SHA-256 and a vector of little-endian 32-bit floats, ascending by hash

Reading takes it for a stranger's: plain members of these names in this order and nothing else, sizes with bounds, no
extraction, no pickle. Knows nothing of what a line means.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import mmap
import os
import stat
import sys
import tarfile
import tempfile
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import IO, Any

from pointsman_indexer.errors import SnapshotInvalid

FORMAT = 1
_MANIFEST, _VERSIONS, _VECTORS = "manifest.json", "versions.jsonl.gz", "vectors.bin"
_LARGEST_MANIFEST = 64 * 1024
_LARGEST = 64 * 1024**3
_LONGEST_LINE = 32 * 1024**2
_MOST_BYTES = 64 * 1024**3
"""Of all lines, unpacked."""
_BLOCK, _HASH = 512, 32
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    schema: str
    """Of the catalogue: other tables, another way to cut or to weigh give another one."""
    embedder: str
    dimension: int
    revision: str
    """The commit that was indexed, or ""."""
    versions: int
    format: int = FORMAT


class Writer:
    """Collects lines, then vectors; `finish` puts the file in place. Without it nothing stays. `close` it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._folder = tempfile.TemporaryDirectory(prefix=f".{target.name[:64]}-", dir=target.parent)
        folder = Path(self._folder.name)
        self._names = (folder / _VERSIONS, folder / _VECTORS)
        self._lines = gzip.open(self._names[0], "wb", compresslevel=5)  # noqa: SIM115
        self._vectors = self._names[1].open("wb")
        self.versions = 0

    def line(self, value: Mapping[str, Any]) -> None:
        self._lines.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
        self.versions += 1

    def vector(self, sha: str, vector: array[float]) -> None:
        self._vectors.write(bytes.fromhex(sha) + _little(vector))

    def finish(self, manifest: Manifest) -> None:
        self._lines.close()
        self._vectors.close()
        whole = Path(self._folder.name) / "snapshot"
        members = {file.name: {"size": file.stat().st_size, "sha256": _sha256(file)} for file in self._names}
        told = json.dumps({**asdict(manifest), "members": members}, indent=1).encode()
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened:
            with tarfile.open(fileobj=opened, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                head = tarfile.TarInfo(_MANIFEST)
                head.size = len(told)
                tar.addfile(head, io.BytesIO(told))
                for file in self._names:
                    member = tarfile.TarInfo(file.name)
                    member.size = file.stat().st_size
                    with file.open("rb") as data:
                        tar.addfile(member, data)
            opened.flush()
            os.fsync(opened.fileno())
        whole.replace(self._target)

    def close(self) -> None:
        """Idempotent."""
        self._lines.close()
        self._vectors.close()
        self._folder.cleanup()


class Reader:
    """An archive that was checked as a whole: its hashes, its sizes and that it is nothing else. `close` it.

    Raises `SnapshotInvalid`.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._file = _opened(file)
        except OSError as error:
            raise SnapshotInvalid(f"{file.name} cannot be read: {error.strerror}") from error
        try:
            self._places: dict[str, tuple[int, int]] = {}
            self.manifest = self._checked()
            start, size = self._places[_VECTORS]
            self._record = _HASH + 4 * self.manifest.dimension
            if size % self._record:
                raise damaged()
            self._first, self._vectors = start, size // self._record
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._map.close()
        self._file.close()

    def lines(self) -> Iterator[dict[str, Any]]:
        """The objects, one after the other. They are JSON and no more is known of them."""
        start, size = self._places[_VERSIONS]
        count, left = 0, _MOST_BYTES
        try:
            with gzip.GzipFile(fileobj=io.BufferedReader(_Part(self._map, start, size))) as lines:
                while line := lines.readline(_LONGEST_LINE):
                    count, left = count + 1, left - len(line)
                    if count > self.manifest.versions or left < 0 or not line.endswith(b"\n"):
                        raise damaged()
                    value = json.loads(line)
                    if not isinstance(value, dict):
                        raise damaged()
                    yield value
        except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
            raise damaged() from error
        if count != self.manifest.versions:
            raise damaged()

    def vector(self, sha: str) -> array[float] | None:
        """The vector of what has this hash; None when it is not here, or is no vector."""
        wanted = bytes.fromhex(sha)
        at = bisect_left(range(self._vectors), wanted, key=self._hash_at)
        if at == self._vectors or self._hash_at(at) != wanted:
            return None
        begin = self._first + at * self._record + _HASH
        vector = array("f", self._map[begin : begin + self._record - _HASH])
        if sys.byteorder == "big":
            vector.byteswap()
        return vector if all(map(isfinite, vector)) and any(vector) else None

    def _hash_at(self, at: int) -> bytes:
        begin = self._first + at * self._record
        return self._map[begin : begin + _HASH]

    def _checked(self) -> Manifest:
        length = os.fstat(self._file.fileno()).st_size
        if length > _LARGEST:
            raise damaged()
        size = self._member(_MANIFEST, _LARGEST_MANIFEST)
        manifest, members = _read_manifest(self._file.read(size))
        self._file.seek(-size % _BLOCK, os.SEEK_CUR)
        for name in (_VERSIONS, _VECTORS):
            size = self._member(name, length)
            member = members.get(name)
            self._places[name] = self._file.tell(), size
            if not isinstance(member, dict) or member.get("size") != size:
                raise damaged()
            if _digest(self._file, size) != member.get("sha256"):
                raise damaged()
            self._file.seek(-size % _BLOCK, os.SEEK_CUR)
        return manifest

    def _member(self, name: str, most: int) -> int:
        """Step over a member's header; its size."""
        try:
            head = tarfile.TarInfo.frombuf(self._file.read(_BLOCK), "utf-8", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise damaged() from error
        if head.name != name or head.type != tarfile.REGTYPE or not 0 <= head.size <= most:
            raise damaged()
        return head.size


class _Part(io.RawIOBase):
    """A range of a map, as a file to read from."""

    def __init__(self, data: mmap.mmap, start: int, size: int) -> None:
        self._data, self._at, self._end = data, start, start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._end - self._at)
        buffer[:count] = self._data[self._at : self._at + count]
        self._at += count
        return count


def _read_manifest(data: bytes) -> tuple[Manifest, dict[str, Any]]:
    """The manifest and what it says of the members. Another format is no damage: there is something to do about it."""
    try:
        told = json.loads(data)
        members, format_ = told.pop("members"), told["format"]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise damaged() from error
    if format_ != FORMAT:
        raise SnapshotInvalid(
            "the snapshot is of another format", remedy="export it anew with this version of Pointsman"
        )
    shape = {name: str(type_) for name, type_ in Manifest.__annotations__.items()}
    if not isinstance(members, dict) or {name: type(value).__name__ for name, value in told.items()} != shape:
        raise damaged()
    manifest = Manifest(**told)
    if not (0 < manifest.dimension <= 65_536 and manifest.versions >= 0):
        raise damaged()
    return manifest, members


def damaged() -> SnapshotInvalid:
    return SnapshotInvalid("the snapshot is damaged", remedy="fetch or export it again; nothing was taken from it")


def _opened(file: Path) -> IO[bytes]:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return os.fdopen(descriptor, "rb")


def _little(vector: array[float]) -> bytes:
    if sys.byteorder == "big":
        vector = array("f", vector)
        vector.byteswap()
    return vector.tobytes()


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return _digest(data, file.stat().st_size)


def _digest(file: IO[bytes], size: int) -> str:
    digest = hashlib.sha256()
    while size:
        piece = file.read(min(size, _PIECE))
        if not piece:
            raise damaged()
        digest.update(piece)
        size -= len(piece)
    return digest.hexdigest()
