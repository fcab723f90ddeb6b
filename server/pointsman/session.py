"""All mutable editor state, on the event loop's thread only. Hands out frozen snapshots.

A handler takes its snapshot before its first `await`: the document moves on while a model thinks.
Offsets are code points; converting the editor's positions is `lsp/positions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One document at one moment. Safe to hand to any task or thread."""

    uri: str
    """As the client spelled it; replies use it unchanged."""
    path: Path | None
    """None for a buffer that is not a file."""
    root: Path | None
    """Workspace folder or repository that the file belongs to."""
    language: str
    version: int
    text: str

    @property
    def relative(self) -> str:
        """Path below the root with `/`; the bare name, or the URI, when there is no root."""
        if self.path is None:
            return self.uri
        if self.root is not None and self.path.is_relative_to(self.root):
            return self.path.relative_to(self.root).as_posix()
        return self.path.name

    @property
    def sha(self) -> str:
        """Git's blob id of the text, 40 hex digits: what hits, citations and edits carry."""
        from pointsman_indexer.files import blob_id

        return blob_id(self.text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a text: `new` takes the place of [start, end). Code points of the text before it."""

    start: int
    end: int
    new: str

    def applied(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]


def difference(before: str, after: str) -> Edit:
    """The smallest single edit that makes `after` of `before`; of several equally small ones, the last in the text."""
    most = min(len(before), len(after))
    first = _equal(most, lambda start, end: before[start:end] == after[start:end])
    ends = len(before), len(after)
    last = _equal(
        most - first,
        lambda start, end: before[ends[0] - end : ends[0] - start] == after[ends[1] - end : ends[1] - start],
    )
    return Edit(first, ends[0] - last, after[first : ends[1] - last])


def _equal(most: int, same: Callable[[int, int], bool]) -> int:
    """How far, up to `most`, two texts are the same: by pieces, for comparing characters takes far longer."""
    start, size = 0, 1 << 16
    while size:
        while start + size <= most and same(start, start + size):
            start += size
        size //= 2
    return start


class Buffer(Protocol):
    """A document's text, however it is kept."""

    @property
    def text(self) -> str: ...


B = TypeVar("B", bound=Buffer)


@dataclass(slots=True)
class Document(Generic[B]):
    """An open document, changed in place."""

    uri: str
    path: Path | None
    root: Path | None
    language: str
    version: int
    buffer: B

    def snapshot(self) -> Snapshot:
        return Snapshot(
            uri=self.uri,
            path=self.path,
            root=self.root,
            language=self.language,
            version=self.version,
            text=self.buffer.text,
        )


class Session(Generic[B]):
    """What one editor window has open, and the folders it works in."""

    def __init__(self) -> None:
        self.folders: tuple[Path, ...] = ()
        self._documents: dict[str, Document[B]] = {}

    def work_in(self, folders: Iterable[Path]) -> None:
        """Take these as the folders of the workspace; what is open may belong to another root by that."""
        self.folders = tuple(folders)
        for document in self._documents.values():
            document.root = self.root_of(document.path) if document.path is not None else None

    def places(self) -> tuple[Path, ...]:
        """What there is to index: the folders, and the repositories inside of them that something is open of."""
        roots = (document.root for document in self._documents.values())
        nested = (root for root in roots if root and any(f in root.parents for f in self.folders))
        return tuple(dict.fromkeys((*self.folders, *nested)))

    def open(self, uri: str, path: Path | None, language: str, version: int, buffer: B) -> None:
        root = self.root_of(path) if path is not None else None
        self._documents[uri] = Document(uri, path, root, language, version, buffer)

    def close(self, uri: str) -> None:
        self._documents.pop(uri, None)

    def get(self, uri: str) -> Document[B] | None:
        return self._documents.get(uri)

    def documents(self) -> tuple[Document[B], ...]:
        return tuple(self._documents.values())

    def root_of(self, path: Path) -> Path:
        """The repository that holds `path`, else its workspace folder, else the file's own folder.

        Looks for `.git` only, a folder or a worktree's file: the index asks git itself.
        """
        for folder in (path, *path.parents):
            if (folder / ".git").exists():
                return folder
        folders = [folder for folder in self.folders if path.is_relative_to(folder)]
        return max(folders, key=lambda folder: len(folder.parts), default=path if path.is_dir() else path.parent)

    def root_for(self, asked: Snapshot | None) -> Path | None:
        """What a question is about: the document's root, else that of the first folder."""
        if asked is not None and asked.root is not None:
            return asked.root
        return self.root_of(self.folders[0]) if self.folders else None
