"""What is inside a package archive: its source files and its licence, read in memory. Nothing is unpacked or run."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

LARGEST = 1024 * 1024
_MOST = 1 << 31
"""Bytes that one archive may unpack to."""

_PERMISSIVE = re.compile(
    r"\b(?:MIT|MIT-0|MIT-CMU|Expat|BSD|0BSD|BSD-[23]-Clause|BSD [23]-Clause|[23]-Clause BSD|Apache|Apache-2(?:\.0)?|"
    r"ISC|PSF|PSF-2\.0|Python-2\.0|Python Software Foundation|HPND|Unlicense|CC0|zlib|NCSA|BSL-1\.0|ZPL)\b",
    re.I,
)
_NOT_PERMISSIVE = re.compile(
    r"GPL|GNU|MPL|Mozilla|EPL|EUPL|CDDL|CC-BY|SSPL|Proprietary|Commercial|non-?commercial", re.I
)
_FIELD = re.compile(r"^License:[ \t]*(\S.*)$", re.M)


def permissive(licence: str) -> bool:
    """Whether a licence, as metadata name it, is permissive in all of its parts."""
    return bool(_PERMISSIVE.search(licence)) and not _NOT_PERMISSIVE.search(licence)


def licence(archive: Path) -> str:
    """The licence that the archive's own metadata state, "" when they state none; several are joined by `; `."""
    if archive.suffix == ".deb":
        text = next((data for path, data in _files(archive, r"usr/share/doc/.*/copyright") if data), b"")
        names = _FIELD.findall(text.decode("utf-8", "replace"))
    elif archive.suffix == ".tgz":
        text = next((data for path, data in _files(archive, r"[^/]+/package\.json")), b"{}")
        stated = json.loads(text).get("license", "")
        names = [stated.get("type", "") if isinstance(stated, dict) else stated]
    else:
        text = next((data for path, data in _files(archive, r"[^/]+\.dist-info/METADATA|[^/]+/PKG-INFO")), b"")
        fields = HeaderParser().parsestr(text.decode("utf-8", "replace"))
        classifiers = [one for one in fields.get_all("Classifier", []) if one.startswith("License ::")]
        named = [one.rpartition(" :: ")[2] for one in classifiers if one.count("::") > 1]
        lines = str(fields.get("License", "")).strip().splitlines()
        names = [str(fields["License-Expression"])] if fields["License-Expression"] else named or lines[:1]
    return "; ".join(dict.fromkeys(name.strip() for name in names if name.strip()))


def npm_name(archive: Path) -> tuple[str, str]:
    """Name and version of a package of npm; the file's name does not tell them apart from a scope's."""
    stated = json.loads(next(data for _, data in _files(archive, r"[^/]+/package\.json")))
    return stated["name"], stated["version"]


def sources(archive: Path, extensions: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    """Path inside the archive and bytes of each regular file with one of the extensions, up to a mebibyte each."""
    yield from _files(archive, r".*\.(?:" + "|".join(sorted(extensions)) + ")")


def _files(archive: Path, wanted: str) -> Iterator[tuple[str, bytes]]:
    pattern, total = re.compile(wanted), 0
    for path, size, data in _zip(archive, pattern) if archive.suffix in (".whl", ".zip") else _tar(archive, pattern):
        total += size
        if total > _MOST:
            return
        yield path, data


def _zip(archive: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, int, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if entry.file_size <= LARGEST and wanted.fullmatch(entry.filename):
                yield entry.filename, entry.file_size, opened.read(entry)


def _tar(archive: Path, wanted: re.Pattern[str]) -> Iterator[tuple[str, int, bytes]]:
    stream: io.BytesIO | None = None
    if archive.suffix == ".deb":
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, capture_output=True)
        stream = io.BytesIO(unpacked.stdout)
    with tarfile.open(None if stream else archive, fileobj=stream) as opened:
        for entry in opened:
            path = entry.name.removeprefix("./")
            if entry.isfile() and entry.size <= LARGEST and wanted.fullmatch(path):
                file = opened.extractfile(entry)
                yield path, entry.size, file.read() if file else b""
