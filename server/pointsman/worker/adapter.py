"""Low-rank adaptation of an encoder (Hu et al., "LoRA", 2021): small matrices that are added to its linear layers.

An adapter is one safetensors file with two tensors for each adapted layer, `<layer>.down` of shape (rank, inputs) and
`<layer>.up` of shape (outputs, rank), and metadata that says what it was trained for. Merged at load, it costs nothing
afterwards.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from pointsman.errors import EngineError

LAYERS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
"""The linear layers of a BERT block, each of which gets its pair of matrices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an adapter wants its encoder to be used; from the file's metadata."""

    base_sha256: str
    """Of the weights that it was trained on: with others its matrices mean nothing."""
    query_tokens: int
    document_tokens: int
    """Texts are cut there, special tokens included."""


def merge(model: Any, folder: Path, adapter: Path, sha256: str) -> Recipe:
    """Add the adapter's matrices to the weights of `model`, which was loaded from `folder`.

    Raises `EngineError` when the adapter is damaged or was made for other weights.
    """
    if hashlib.sha256(adapter.read_bytes()).hexdigest() != sha256:
        raise EngineError(f"the adapter {adapter.name} is damaged", remedy="install Pointsman again")
    with safe_open(str(adapter), framework="pt") as file:
        recipe = _recipe(file.metadata())
        if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != recipe.base_sha256:
            raise EngineError(
                f"the adapter {adapter.name} was made for other weights", remedy="choose another embedder"
            )
        with torch.no_grad():
            for name in sorted({key.rpartition(".")[0] for key in file.keys()}):  # noqa: SIM118
                weight = model.get_submodule(name).weight
                both = file.get_tensor(f"{name}.up").float() @ file.get_tensor(f"{name}.down").float()
                weight += both.to(device=weight.device, dtype=weight.dtype)
    return recipe


def _recipe(metadata: dict[str, str] | None) -> Recipe:
    return Recipe(**json.loads((metadata or {})["recipe"]))
