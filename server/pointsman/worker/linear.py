"""Projections that share their input, joined into one: a pass of one token is short of fewer and larger calls.

Full-precision weights are joined row by row, and so are NF4's blocks, which run along a row. bitsandbytes keeps NF4 in
another layout on CPUs that multiply bf16; both are read here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

Projection = Callable[[Any], Any]
"""(tokens, inputs) → (tokens, outputs)"""


def joined(modules: Sequence[Any]) -> Projection:
    """One projection whose outputs are those of `modules` side by side.

    Raises `ValueError` for a kind of layer whose weights cannot be joined.
    """
    biases = [module.bias for module in modules]
    if any(bias is None for bias in biases) != all(bias is None for bias in biases):
        raise ValueError("some of the projections have a bias and some have none")
    bias = None if biases[0] is None else torch.cat([b.data for b in biases])
    if all(type(module) is torch.nn.Linear for module in modules):
        weight = torch.cat([module.weight.data for module in modules]) if len(modules) > 1 else modules[0].weight.data
        return lambda x: functional.linear(x, weight, bias)
    import bitsandbytes  # a second, which a process that only embeds need not spend

    if all(type(module) is bitsandbytes.nn.Linear4bit for module in modules):
        return _nf4([module.weight for module in modules], bias)
    raise ValueError("a kind of layer that is not known here")


def _nf4(weights: Sequence[Any], bias: Any) -> Projection:
    import bitsandbytes

    states = [weight.quant_state for weight in weights]
    first = states[0]
    packed = getattr(first, "packing_format_for_cpu", False)
    for state in states:
        rows_are_blocks = state.shape[1] % state.blocksize == 0
        same = (state.shape[1], state.blocksize, state.quant_type) == (first.shape[1], first.blocksize, "nf4")
        if state.nested or not rows_are_blocks or not same or getattr(state, "packing_format_for_cpu", False) != packed:
            raise ValueError("weights that are quantised in another way")
    state = copy.copy(first)
    state.shape = torch.Size((sum(one.shape[0] for one in states), first.shape[1]))
    # Packed for a CPU, the scales are (blocks of a row, rows); otherwise flat, row after row.
    state.absmax = torch.cat([one.absmax for one in states], dim=1 if packed else 0).contiguous()
    data = torch.cat([weight.data for weight in weights])
    return lambda x: bitsandbytes.matmul_4bit(x, data, quant_state=state, bias=bias)
