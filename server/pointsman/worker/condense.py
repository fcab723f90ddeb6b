"""Code as the words that tell what it does: what an encoder with a code adapter reads.

A sentence encoder spends most of its tokens on brackets, keywords and repeated names. Left out, 64 tokens hold what
took 150, identifiers come as words that the encoder knows, and embedding is twice as quick. The adapter is trained on
exactly this text. Pure.
"""

from __future__ import annotations

import re

from pointsman_indexer.identifiers import words

_IDENTIFIER = re.compile(r"[^\W\d]\w*|\d+")
_NOISE_WORDS = """
self cls this def fn func function return if else elif for in not and or is null none nil true false import from as with
try except catch raise throw throws class struct impl lambda pass while yield async await assert del global nonlocal
finally break continue let const var mut pub public private protected static final void new package use end
"""
_NOISE = frozenset(_NOISE_WORDS.split())


def condensed(text: str) -> str:
    """Each identifier once, in words, in order of first appearance; keywords and punctuation are left out."""
    seen: dict[str, None] = dict.fromkeys(_IDENTIFIER.findall(text))
    return " ".join(words(name) for name in seen if name.lower() not in _NOISE)
