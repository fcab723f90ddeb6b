"""The repository index: files → symbols → chunks → embeddings → hybrid search.

A synchronous library, usable alone. It knows nothing of editors, models, event loops or the network; the caller
brings the embedder. Names are loaded on first use, so that `pointsman_indexer.exclude` costs neither grammars nor
a vector store.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman_indexer.embed import Embedder, HashEmbedder
    from pointsman_indexer.errors import EmbeddingError, ExclusionsInvalid, IndexerError, IndexLocked, StoreError
    from pointsman_indexer.exclude import Exclusions
    from pointsman_indexer.files import find_root
    from pointsman_indexer.hits import Hit
    from pointsman_indexer.index import Index
    from pointsman_indexer.update import Progress, Report

_HOMES = {
    "Embedder": "embed",
    "EmbeddingError": "errors",
    "Exclusions": "exclude",
    "ExclusionsInvalid": "errors",
    "HashEmbedder": "embed",
    "Hit": "hits",
    "Index": "index",
    "IndexLocked": "errors",
    "IndexerError": "errors",
    "Progress": "update",
    "Report": "update",
    "StoreError": "errors",
    "find_root": "files",
}

__all__ = [
    "Embedder",
    "EmbeddingError",
    "Exclusions",
    "ExclusionsInvalid",
    "HashEmbedder",
    "Hit",
    "Index",
    "IndexLocked",
    "IndexerError",
    "Progress",
    "Report",
    "StoreError",
    "find_root",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
