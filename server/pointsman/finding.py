"""How the pipelines that write code look for secrets: by a function, since the rules are the gateway's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

FindSecrets = Callable[[str], Sequence[tuple[int, int, str]]]
"""Start, end and rule of everything that looks like a secret in a text. Slow at its first use."""
