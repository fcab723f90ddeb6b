"""Every error that the indexer raises on purpose.

    IndexerError
    ├── IndexLocked          another process, or another `Index`, has this data folder open
    ├── ExclusionsInvalid    an exclusion pattern or `.pointsmanignore` cannot be understood: nothing is indexed
    ├── EmbeddingError       the embedder broke its contract (count, dimension or a value that is no number)
    ├── SnapshotInvalid      a snapshot is damaged, or was made by another version or with another embedder
    └── StoreError           the vector store cannot be reached or refused

Messages are for the user and hold no source text. What an embedder raises itself passes through untouched.
"""

from __future__ import annotations


class IndexerError(Exception):
    """Base. `remedy` says what to do about it, or is ""."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class IndexLocked(IndexerError):
    pass


class ExclusionsInvalid(IndexerError):
    pass


class EmbeddingError(IndexerError):
    pass


class SnapshotInvalid(IndexerError):
    pass


class StoreError(IndexerError):
    pass
