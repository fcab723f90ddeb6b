"""A small correction of an embedder's vectors that a repository taught: low-rank matrices behind the pooling.

A vector `x` becomes `x + up(down(x))`, of unit length again, a query's and a document's alike. One loaded encoder so
serves any number of repositories, each by a file of 100 kB, and learning takes one forward pass a text in all. The
file is safetensors: two tensors, and metadata that says what it was made for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from pointsman.errors import EngineError

_SMALL = 0.02


class Head(torch.nn.Module):  # type: ignore[misc]  # torch is not looked into
    """Changes nothing until it is trained."""

    def __init__(self, dimension: int, rank: int) -> None:
        super().__init__()
        self.down = torch.nn.Parameter(torch.randn(rank, dimension) * _SMALL)
        self.up = torch.nn.Parameter(torch.zeros(dimension, rank))

    def forward(self, vectors: Any) -> Any:
        """Unit vectors of shape (n, dimension) to the same."""
        return torch.nn.functional.normalize(vectors + (vectors @ self.down.T) @ self.up.T, dim=-1)

    def data(self, metadata: Mapping[str, str]) -> bytes:
        """The file's bytes."""
        tensors = {name: value.contiguous() for name, value in self.state_dict().items()}
        return bytes(save(tensors, metadata=dict(metadata)))

    @classmethod
    def load(cls, file: Path, sha256: str, dimension: int) -> Head:
        """Raises `EngineError` when the file is not the one that is meant."""
        remedy = "pointsman index --adapt makes it again"
        try:
            data = file.read_bytes()
        except OSError as error:
            raise EngineError("the repository's adaptation is gone", remedy=remedy) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise EngineError("the repository's adaptation is damaged", remedy=remedy)
        try:
            tensors = load(data)
            head = cls(dimension, tensors["down"].shape[0])
            head.load_state_dict(tensors)
        except (SafetensorError, KeyError, RuntimeError) as error:
            raise EngineError("the repository's adaptation is of another kind", remedy=remedy) from error
        head.eval()
        return head
