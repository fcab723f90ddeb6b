"""A real git repository and a counting embedder, for the tests of the indexer."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pointsman_indexer import HashEmbedder, Index


class CountingEmbedder(HashEmbedder):
    """Keeps the texts that it was given."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> list[list[float]]:
        self.seen += texts
        return super().embed(texts, kind=kind)


class Repo:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")
        return self.git("rev-parse", "HEAD").strip()


def function(name: str, body: str = "return 1") -> str:
    """A function that is long enough for a chunk of its own."""
    return f"def {name}(value):\n    if value is None:\n        value = 0\n    {body}\n\n\n"


def state(index: Index) -> tuple[set[str], set[str]]:
    """Ids of all chunks that the catalogue holds, and of all points that the store holds."""
    store = index._stores.live
    points = {id_ for id_, _ in store.dense([1.0] * index._embedder.dimension, 100_000)}
    return {id_ for id_, _ in index._catalog.all_chunks()}, points
