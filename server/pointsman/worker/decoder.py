"""An own forward pass for decoders of Llama's shape: transformers' arithmetic without what it costs a token.

At one token a pass the small operations and copies around the matrices take longer than the matrices. So projections
are joined, keys and values stay where they are (`StaticCache`), grouped queries are rows of one product, and the table
of rotations is made once. On CUDA a pass of few tokens is captured as a graph (`graphs`).

Shape: Touvron et al., "LLaMA", 2023; grouped queries: Ainslie et al., "GQA", 2023; rotations: Su et al., "RoFormer",
2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from pointsman.worker.faults import device_lost, out_of_memory
from pointsman.worker.graphs import WIDTHS, Captured
from pointsman.worker.linear import Projection, joined
from pointsman.worker.place import Anywhere, Appended, Place
from pointsman.worker.static_cache import Shape, StaticCache

_FAMILIES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
_DRAFT = WIDTHS[-1] - 1
"""Tokens to check beside one: a pass of 8 takes 1.3 times that of 1 for NF4 on a CPU that multiplies bf16, and hardly
more on CUDA; for fp32 on a CPU it takes twice."""
_ROTATIONS = frozenset({"default", "linear", "llama3", "yarn"})
"""Those whose table does not hang on the length of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    before_attention: Any
    queries_keys_values: Projection
    query_norm: Any
    key_norm: Any
    attention_out: Projection
    before_mlp: Any
    gate_up: Projection
    down: Projection


def suits(config: Any) -> bool:
    """Whether a model of this configuration has the shape that is computed here."""
    windows = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if config.model_type == "mistral" and config.sliding_window is not None:
        return False
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type")
    return config.model_type in _FAMILIES and config.hidden_act == "silu" and not windows and rotation in _ROTATIONS


class Decoder:
    """`Backbone` of one model, whose layers it takes over: `model` is of no use afterwards.

    Args:
        model: from `AutoModelForCausalLM`, of a configuration that `suits`.
        context: the most positions of a sequence.

    Raises `ValueError` for layers that cannot be joined.
    """

    def __init__(self, model: Any, context: int) -> None:
        config, body = model.config, model.model
        self.device = model.device
        self._embedding = body.embed_tokens.weight
        self._head = model.lm_head
        self._norm = body.norm
        self._query_heads: int = config.num_attention_heads
        heads: int = config.num_key_value_heads
        self._group = self._query_heads // heads
        self._width = getattr(config, "head_dim", None) or config.hidden_size // self._query_heads
        self._shape = Shape(layers=len(body.layers), heads=heads, width=self._width)
        self._epsilon = config.rms_norm_eps
        self._cos, self._sin = _rotations(body.rotary_emb, context, self._embedding, self._width)
        self._layers: list[_Layer] = []
        for at in range(len(body.layers)):
            self._layers.append(_taken(body.layers[at]))
            # Freed at once, or a model would take its memory twice.
            body.layers[at] = torch.nn.Identity()
        self._captures = self.device.type == "cuda"
        self.drafts = _DRAFT if self._captures or self._embedding.dtype == torch.bfloat16 else 0

    def new_cache(self) -> StaticCache:
        return StaticCache(self._shape, self._embedding.dtype, self.device)

    def crop(self, cache: StaticCache, keep: int) -> bool:
        cache.length = min(cache.length, keep)
        return cache.length == keep

    def forward(self, ids: Sequence[int], cache: StaticCache, rows: int = 1) -> Any:
        with torch.no_grad():
            return self._forward(ids, cache, rows)

    def _forward(self, ids: Sequence[int], cache: StaticCache, rows: int) -> Any:
        count = len(ids)
        width = next((width for width in WIDTHS if count <= width), 0)
        if self._captures and width and rows and (captured := self._captured(cache, width)) is not None:
            logits = captured(ids, cache.length)[count - rows : count]
            cache.length += count
            return logits
        cache.make_room(count)
        tokens = torch.tensor(list(ids), device=self.device)
        end = cache.length + count
        here = Appended(cache, self._cos[cache.length : end], self._sin[cache.length : end], self._group)
        hidden = self.hidden(tokens, here)
        cache.length = end
        if rows:
            return self.logits(hidden[-rows:])
        if self.device.type == "cuda":
            # A slice is waited for: what it took must be known, and a cancelled request must not leave a queue behind.
            torch.cuda.synchronize()
        return hidden[:0]

    def _captured(self, cache: StaticCache, width: int) -> Captured | None:
        """None, from then on always, where a library's kernels cannot be captured: slower and still right."""
        cache.make_room(width)
        if width not in cache.graphs:
            try:
                cache.graphs[width] = Captured(self, cache, width)
            except RuntimeError as error:
                if out_of_memory(error) or device_lost(error):
                    raise
                self._captures = False
                return None
        captured: Captured = cache.graphs[width]
        return captured

    def anywhere(self, cache: StaticCache, positions: Any) -> Place:
        """The place of tokens at `positions`, a tensor that may change between two replays of a graph."""
        return Anywhere(cache, positions, self._cos, self._sin, self._group)

    def hidden(self, tokens: Any, place: Place) -> Any:
        """(tokens,) → (tokens, hidden), before the last norm."""
        x = functional.embedding(tokens, self._embedding)
        for at, layer in enumerate(self._layers):
            x = x + layer.attention_out(self._attended(at, layer, self._normed(x, layer.before_attention), place))
            gate, up = layer.gate_up(self._normed(x, layer.before_mlp)).chunk(2, dim=-1)
            x = x + layer.down(functional.silu(gate) * up)
        return x

    def logits(self, hidden: Any) -> Any:
        """(tokens, hidden) → (tokens, vocabulary)"""
        return self._head(self._normed(hidden, self._norm.weight))

    def _normed(self, x: Any, weight: Any) -> Any:
        return functional.rms_norm(x, weight.shape, weight, self._epsilon)

    def _attended(self, at: int, layer: _Layer, x: Any, place: Place) -> Any:
        count, heads = x.shape[0], self._shape.heads
        every = layer.queries_keys_values(x).view(count, -1, self._width)
        turned, values = every[:, :-heads], every[:, -heads:]
        if layer.query_norm is not None:
            queries = self._normed(turned[:, :-heads], layer.query_norm)
            turned = torch.cat([queries, self._normed(turned[:, -heads:], layer.key_norm)], dim=1)
        # The table's sines have the sign of the half that they meet, so that a roll does what a split and a join would.
        turned = torch.addcmul(turned * place.cos, turned.roll(self._width // 2, dims=-1), place.sin)
        keys, values = place.keep(at, turned[:, -heads:], values)
        # Queries of a group are rows beside each other: the keys that they share are read once and not repeated.
        queries = turned[:, :-heads].transpose(0, 1).reshape(heads, -1, self._width)
        out = functional.scaled_dot_product_attention(queries[None], keys[None], values[None], attn_mask=place.mask)
        return out.view(self._query_heads, count, self._width).transpose(0, 1).reshape(count, -1)


def _taken(layer: Any) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    norms = (getattr(attention, "q_norm", None), getattr(attention, "k_norm", None))
    return _Layer(
        before_attention=layer.input_layernorm.weight,
        queries_keys_values=joined([attention.q_proj, attention.k_proj, attention.v_proj]),
        query_norm=norms[0].weight if norms[0] is not None else None,
        key_norm=norms[1].weight if norms[1] is not None else None,
        attention_out=joined([attention.o_proj]),
        before_mlp=layer.post_attention_layernorm.weight,
        gate_up=joined([mlp.gate_proj, mlp.up_proj]),
        down=joined([mlp.down_proj]),
    )


def _rotations(rotary: Any, context: int, like: Any, width: int) -> tuple[Any, Any]:
    """Cosines and signed sines, (positions, 1, width) each."""
    positions = torch.arange(context + WIDTHS[-1], device=like.device)[None]
    cos, sin = rotary(like[:1, None], positions)
    sin = sin.clone()
    sin[..., : width // 2] *= -1
    return cos[0, :, None], sin[0, :, None]
