"""What a chunk is found by when words are searched: its names, path and documentation count for more than its body.

Weights are from a search over documented functions of packages that are in no evaluation; near the best they hardly
matter. Knows nothing of stores.
"""

from __future__ import annotations

from pointsman_indexer.chunk import Chunk
from pointsman_indexer.terms import Field, Sparse, fielded_vector

_BODY = Field(weight=0.3, mean_length=150, b=0.75)
_SYMBOL = Field(weight=2.5, mean_length=4, b=0.3)
_SIGNATURE = Field(weight=0.8, mean_length=12, b=0.3)
_PATH = Field(weight=0.7, mean_length=4, b=0.3)
_DOC = Field(weight=0.5, mean_length=20, b=0.5)


def lexical_of(one: Chunk) -> Sparse:
    """The chunk's term weights. Names of all that it defines count as its symbol does."""
    names = one.symbol if len(one.names) < 2 else "\n".join((one.symbol, *one.names))
    return fielded_vector(
        (
            (one.text, _BODY),
            (names, _SYMBOL),
            (one.signature or one.header, _SIGNATURE),
            (one.path, _PATH),
            (one.doc, _DOC),
        )
    )
