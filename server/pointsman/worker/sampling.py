"""The next token from a row of logits: greedy, or drawn after temperature, top-k and top-p. Repeatable with a seed."""

from __future__ import annotations

from typing import Any

import torch

from pointsman.models.base import Sampling


class Chooser:
    """Chooses the tokens of one generation.

    The order temperature, top-k, top-p is that of Hugging Face's logits warpers; nucleus sampling is Holtzman et al.,
    "The Curious Case of Neural Text Degeneration", 2020.
    """

    def __init__(self, sampling: Sampling, device: Any) -> None:
        self._sampling = sampling
        self._random = torch.Generator(device=device)
        if sampling.seed is None:
            self._random.seed()
        else:
            # torch takes 64 bits; callers may hand any integer.
            self._random.manual_seed(sampling.seed % 2**63)

    def choose(self, logits: Any) -> tuple[int, float]:
        """Token and its natural-log probability under the model itself, before temperature and cuts.

        Args:
            logits: tensor of shape (vocabulary,), any floating type.
        """
        logits = logits.float()
        token = int(torch.argmax(logits)) if self._sampling.temperature <= 0 else self._draw(logits)
        return token, float(logits[token] - torch.logsumexp(logits, dim=-1))

    def _draw(self, logits: Any) -> int:
        scaled = logits / self._sampling.temperature
        size = scaled.shape[-1]
        top_k = min(self._sampling.top_k, size) if self._sampling.top_k > 0 else size
        values, order = torch.sort(scaled, descending=True, stable=True)
        probabilities = torch.softmax(values[:top_k], dim=-1)
        if self._sampling.top_p < 1:
            before = torch.cumsum(probabilities, dim=-1) - probabilities
            # The token that crosses the line stays, so at least one always does.
            inside = before < max(self._sampling.top_p, 0.0)
            inside[0] = True
            probabilities = torch.where(inside, probabilities, torch.zeros_like(probabilities))
        at = torch.multinomial(probabilities, 1, generator=self._random)
        return int(order[at])
