"""What training and evaluation here share: the shipped embedder in this process, and copies without documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pointsman.models.catalogue import load_catalogue
from pointsman.worker.embed import Embedding, Encoder
from pointsman.worker.link import embedder_spec
from pointsman.worker.load import load_embedder
from pointsman_indexer.languages import language_of
from pointsman_indexer.pairs import Documented, blank, documented


class LocalEmbedder:
    """The indexer's `Embedder` over a catalogue entry's encoder, without a process between."""

    max_batch = 64

    def __init__(self, name: str, folder: Path) -> None:
        card = load_catalogue().get(name)
        self._encoder: Encoder = load_embedder(embedder_spec(card, folder), "cpu")
        self.name = name
        self.dimension = self._encoder.dimension

    def embed(self, texts: Sequence[str], *, kind: Literal["query", "document"]) -> list[list[float]]:
        job = Embedding(self._encoder, texts, query=kind == "query")
        while (vectors := job.step()) is None:
            pass
        return list(vectors.tolist())


def blanked_copy(source: Path, target: Path) -> list[Documented]:
    """Copy the sources of `source` with the documentation of every definition blanked; what was blanked."""
    found: list[Documented] = []
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        relative = file.relative_to(source).as_posix()
        language = language_of(relative, b"")
        if language is None:
            continue
        data = file.read_bytes()
        own = documented(relative, data, language)
        found += own
        copy = target / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(blank(data, [span for one in own for span in one.spans]))
    return found
