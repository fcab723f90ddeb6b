"""An index as a file that others take over: what was parsed and embedded, for those whose files are the same.

A snapshot holds names, signatures and lines of the files, not their text, and nothing that can be worked out from it:
whoever imports cuts the text from the file on disk, which must be the very same, makes hashes and lexical weights from
it, and takes nothing over of a file whose row does not fit or says a word that the file does not have. So a snapshot
that lies, or is old, plants no text; it can misname, and through its vectors misrank. Versions are put into the
catalogue as if a file had once had them: the update which follows finds them, and a process that dies leaves nothing to
undo. Knows nothing of the store.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pointsman_indexer import files, listing
from pointsman_indexer.archive import Manifest, Reader, Writer, damaged
from pointsman_indexer.catalog import Catalog
from pointsman_indexer.chunk import Chunk, text_of
from pointsman_indexer.errors import IndexerError, SnapshotInvalid
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.languages import language_of
from pointsman_indexer.lines import Lines
from pointsman_indexer.parsing import ParsedFile, chunk_of, rows_of
from pointsman_indexer.symbols import Import as Imported
from pointsman_indexer.symbols import Parsed, References, Symbol

_SLICE = 16
"""Files of one step: a search waits for it."""
_VECTORS = 512
_MOST, _MOST_NAMES = 200_000, 100
"""Chunks, symbols, names or imports of one file; names of one chunk."""
_LONGEST_TEXT, _LONGEST_PATH, _LARGEST_NUMBER = 1 << 20, 4096, 1 << 21
_SHAPES: dict[str, tuple[type, ...]] = {
    "chunks": (int, int, str, str, str, str, str, list),
    "symbols": (str, str, str, int, int, int, str),
    "mentions": (str, str),
    "imports": (str, str, str, int),
}
_BLOB = re.compile(r"[0-9a-f]{40}")
_ASTRAY = re.compile(r"^/|\\|\0|(?:^|/)(?:\.{0,2})(?:/|$)")
"""Absolute, with `.` or `..` or nothing between two slashes."""
_KIND = re.compile(r"[a-z_]{0,20}")
_PLACE = re.compile(r"[a-z]{1,8}\t[^\t\n]*\t[^\t\n]*\t\d{1,7}(?:,\d{1,7})*")
_WORD, _WORDS = re.compile(rb"\w"), re.compile(r"\w+")


class Export:
    """Writes what the catalogue has of the files of now. `step` until it says that it is done, then `close`."""

    def __init__(self, target: Path, model: str, revision: str) -> None:
        try:
            self._writer = Writer(target)
        except OSError as error:
            raise IndexerError(f"{target.name} cannot be written: {error.strerror}") from error
        self._target = target
        self._model = model
        self._revision = revision
        self._todo: Iterator[tuple[str, int]] | None = None
        self._shas: set[str] = set()
        self._sorted: list[str] | None = None

    @property
    def versions(self) -> int:
        return self._writer.versions

    def step(self, catalog: Catalog, exclusions: Exclusions) -> bool:
        """Write some; False when the file is in place. Raises `IndexerError` when it cannot be written."""
        try:
            return self._step(catalog, exclusions)
        except OSError as error:
            raise IndexerError(f"{self._target.name} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        self._writer.close()

    def _step(self, catalog: Catalog, exclusions: Exclusions) -> bool:
        if self._todo is None:
            self._todo = iter(sorted(catalog.versions()))
        some = list(islice(self._todo, _SLICE))
        for path, version in some:
            row = catalog.file(path)
            # What is not indexed, or not as it stands, is parsed again.
            if row is None or row.version != version or row.skipped or row.notes or exclusions.excludes(path):
                continue
            rows = catalog.rows(version)
            self._writer.line(_line(catalog, path, row.blob, version, [chunk_of(path, one.values) for one in rows]))
            self._shas.update(one.sha for one in rows)
        if some:
            return True
        if self._sorted is None:
            self._sorted = sorted(self._shas, reverse=True)
        batch = [self._sorted.pop() for _ in range(min(_VECTORS, len(self._sorted)))]
        found = catalog.vectors.get(self._model, batch)
        for sha in batch:
            if sha in found:
                self._writer.vector(sha, found[sha])
        if batch:
            return True
        name, _, dimension = self._model.rpartition("/")
        self._writer.finish(
            Manifest(
                schema=catalog.meta("schema"),
                embedder=name,
                dimension=int(dimension),
                revision=self._revision,
                versions=self._writer.versions,
            )
        )
        return False


def _line(catalog: Catalog, path: str, blob: str, version: int, chunks: Sequence[Chunk]) -> dict[str, Any]:
    """A version as JSON."""
    references, imports = catalog.graph.of(version)
    return {
        "path": path,
        "blob": blob,
        "chunks": [
            [one.start_line, one.end_line, one.symbol, one.kind, one.header, one.scope, one.signature, list(one.names)]
            for one in chunks
        ],
        "symbols": [
            [s.name, s.qualified, s.kind, s.start_line, s.end_line, s.depth, s.signature] for s in catalog.symbols(path)
        ],
        "mentions": [[one.name, one.places] for one in references],
        "imports": [[one.module, one.name, one.alias, one.line] for one in imports],
    }


class Import:
    """Takes over what fits the files of now. `check` first, anywhere; `step` until it says that it is done; `close`.

    Args:
        model: the embedder and its dimension, as `model_of` names them.

    Raises `SnapshotInvalid`: nothing is taken over then.
    """

    def __init__(self, file: Path, model: str) -> None:
        self._reader = Reader(file)
        told = self._reader.manifest
        self._model = f"{told.embedder}/{told.dimension}"
        if self._model != model:
            self._reader.close()
            raise SnapshotInvalid(
                f"the snapshot was made with the embedder {told.embedder[:80]!a}, and this index has another",
                remedy="set the same embedder in settings.toml, or index without --import",
            )
        self._lines: Iterator[dict[str, Any]] | None = None
        self._listed: set[str] = set()
        self.taken = 0
        """Files taken over so far."""
        self.seen = 0
        self.total = told.versions

    def check(self) -> None:
        """Read all of it, so that a file that is damaged anywhere changes nothing."""
        for line in self._reader.lines():
            _checked(line)

    def step(self, root: Path, catalog: Catalog, exclusions: Exclusions) -> bool:
        """Take some over; False when there are no more."""
        if self._lines is None:
            if self._reader.manifest.schema != catalog.meta("schema"):
                raise SnapshotInvalid(
                    "the snapshot was made by another version of Pointsman",
                    remedy="export it anew with the same version, or index without --import",
                )
            self._listed = {entry.path for entry in listing.walk(root, exclusions).files}
            self._lines = self._reader.lines()
        some = [_checked(line) for line in islice(self._lines, _SLICE)]
        made = []
        for line in some:
            path, blob = line["path"], line["blob"]
            # Not even looked at when it is excluded, or no file of this tree.
            if path in self._listed and exclusions.excludes(path) is None and not catalog.version(path, blob):
                parsed = _parsed(root, line)
                if parsed is not None:
                    made.append((path, blob, parsed))
        shas = [row.sha for _, _, parsed in made for row in parsed.chunks]
        known = catalog.vectors.get(self._model, shas)
        fresh = {sha: vector for sha in {*shas} - known.keys() if (vector := self.vector(sha)) is not None}
        with catalog.transaction():
            catalog.vectors.put(self._model, fresh)
            for path, blob, parsed in made:
                catalog.put_version(path, blob, parsed)
        self.taken += len(made)
        self.seen += len(some)
        return bool(some)

    def vector(self, sha: str) -> array[float] | None:
        """The vector of a text with this hash, whichever file had it; None when there is none."""
        return self._reader.vector(sha)

    def close(self) -> None:
        self._reader.close()


def _parsed(root: Path, line: dict[str, Any]) -> ParsedFile | None:
    """What the file on disk comes to by this row; None unless it is the same file and all of the row fits it."""
    path = line["path"]
    try:
        found = files.read(root, path)
        text = found.data.decode("utf-8") if found is not None else ""
    except (OSError, UnicodeDecodeError):
        return None
    if found is None or found.blob != line["blob"] or "\0" in text:
        return None
    lines = Lines(found.data)
    if not _fits(line, lines, text):
        return None
    language = language_of(path, found.data[:65536]) or ""
    chunks = [
        Chunk(
            path=path,
            start_line=first,
            end_line=last,
            symbol=symbol,
            kind=kind,
            language=language,
            text=text_of(lines, first, last),
            header=header,
            scope=scope,
            signature=signature,
            names=tuple(names),
        )
        for first, last, symbol, kind, header, scope, signature, names in line["chunks"]
    ]
    parsed = Parsed(
        symbols=tuple(
            Symbol(name=n, qualified=q, kind=k, start_line=s, end_line=e, depth=d, signature=g)
            for n, q, k, s, e, d, g in line["symbols"]
        ),
        references=tuple(References(*one) for one in line["mentions"]),
        imports=tuple(Imported(module=m, name=n, alias=a, line=at) for m, n, a, at in line["imports"]),
    )
    return ParsedFile(language=language, chunks=rows_of(path, chunks), parsed=parsed)


def _checked(line: dict[str, Any]) -> dict[str, Any]:
    """The row, when it has the shape of one. Raises `SnapshotInvalid`."""
    try:
        path, blob = line["path"], line["blob"]
        good = (
            line.keys() == {"path", "blob", *_SHAPES}
            and isinstance(path, str)
            and 0 < len(path) < _LONGEST_PATH
            and not _ASTRAY.search(path)
            and isinstance(blob, str)
            and _BLOB.fullmatch(blob) is not None
            and all(_has_shape(line[name], shape) for name, shape in _SHAPES.items())
            and all(_are_texts(chunk[-1]) for chunk in line["chunks"])
            and all(_PLACE.fullmatch(place) for _, places in line["mentions"] for place in places.split("\n"))
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged() from error
    if not good:
        raise damaged()
    return line


def _has_shape(rows: Any, shape: tuple[type, ...]) -> bool:
    """Whether these are rows of values of just these types, none of them of an odd size."""
    return (
        isinstance(rows, list)
        and len(rows) <= _MOST
        and all(isinstance(row, list) and len(row) == len(shape) and all(map(_is_of, row, shape)) for row in rows)
    )


def _is_of(value: Any, type_: type) -> bool:
    if type(value) is not type_:  # a bool is no number here
        return False
    return 0 <= value <= _LARGEST_NUMBER if isinstance(value, int) else len(value) <= _LONGEST_TEXT  # type: ignore[arg-type]


def _are_texts(values: list[Any]) -> bool:
    return len(values) <= _MOST_NAMES and all(_is_of(value, str) for value in values)


def _fits(line: dict[str, Any], lines: Lines, text: str) -> bool:
    """Whether the row can be of this file: its lines are there, its chunks hold all that has a word, in order and
    hardly twice, and it says no word that the file does not."""
    before, covered, next_line, count = 0, 0, 1, len(lines)
    for first, last, *_ in line["chunks"]:
        if not before < first <= last <= count or any(
            _WORD.search(lines.bytes(at, at)) for at in range(next_line, first)
        ):
            return False
        before, covered, next_line = first, covered + last - first + 1, max(next_line, last + 1)
    if covered > 2 * count or any(_WORD.search(lines.bytes(at, at)) for at in range(next_line, count + 1)):
        return False
    if not all(1 <= start <= end <= count for _, _, _, start, end, _, _ in line["symbols"]):
        return False
    said = {
        *(value for chunk in line["chunks"] for value in (chunk[2], *chunk[4:7], *chunk[7])),
        *(value for symbol in line["symbols"] for value in (symbol[0], symbol[1], symbol[6])),
        *(value for name, places in line["mentions"] for value in (name, *_said_of(places))),
        *(value for one in line["imports"] for value in one[:3]),
    }
    known = set(_WORDS.findall(text))
    kinds = {*(chunk[3] for chunk in line["chunks"]), *(symbol[2] for symbol in line["symbols"])}
    # A signature is cut at some length, and its last word with it.
    foreign = {word for value in said for word in _WORDS.findall(value)} - known
    return all(word in text for word in foreign) and all(map(_KIND.fullmatch, kinds))


def _said_of(places: str) -> Iterator[str]:
    for place in places.split("\n"):
        _, receiver, inside, _ = place.split("\t")
        yield receiver
        yield inside
