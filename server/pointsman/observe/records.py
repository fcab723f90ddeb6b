"""What is written down of a completion: sizes, times and kinds. No text, no name of a file. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from pointsman.complete.types import Completion, CompletionQuery, Item

CANCELLED, CHANGED = "cancelled or failed", "the document has changed meanwhile"
"""Why a request was answered with nothing although the pipeline might have had something."""

_LANGUAGE = re.compile(r"[a-z0-9+#_.-]{1,32}")
_PLAIN = re.compile(r"[A-Za-z0-9 ,.'-]{1,80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request for a completion. `at` is seconds of the Unix epoch."""

    at: float
    language: str
    model: str
    automatic: bool
    items: int
    cache: str
    """exact, typed-through or the like; miss; "" when the cache was not asked."""
    reason: str
    """Why nothing came, without what is particular to the case; "" when something came."""
    timings_ms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One suggestion that went to the editor. `id` is random."""

    id: str
    at: float
    language: str
    model: str
    digest: str
    """Of its text, under a key that only this process knows: equal within one session alone."""
    features: dict[str, float]
    """What was known when it was made, for whoever learns when to be quiet."""


def answer_of(query: CompletionQuery, completion: Completion | None, withheld: str, at: float) -> Answer:
    """The record of a request. `withheld` says why a completion did not go to the editor; "" when it did."""
    reason = withheld or (completion.reason if completion else None) or ""
    return Answer(
        at=at,
        language=language_of(query.snapshot.language),
        model=completion.model if completion else "",
        automatic=query.automatic,
        items=len(completion.items) if completion and not withheld else 0,
        cache=_cache(completion) if completion else "",
        reason=kind_of(reason),
        timings_ms={name: round(ms, 1) for name, ms in completion.timings_ms.items()} if completion else {},
    )


def suggestion_of(query: CompletionQuery, completion: Completion, item: Item, key: bytes, at: float) -> Suggestion:
    text = query.snapshot.text
    line_start = max(text.rfind("\n", 0, item.start), text.rfind("\r", 0, item.start)) + 1
    before = text[line_start : query.offset]
    after = re.match(r"[^\r\n]*", text[item.end : item.end + 200])
    return Suggestion(
        id=item.id,
        at=at,
        language=language_of(query.snapshot.language),
        model=completion.model,
        digest=hashlib.blake2b(item.text.encode("utf-8", "surrogatepass"), key=key, digest_size=8).hexdigest(),
        features={
            "score": item.score,
            "confidence": item.confidence,
            "characters": len(item.text),
            "lines": item.text.count("\n") + 1,
            "indent": len(before) - len(before.lstrip()),
            "typed_on_line": len(before.strip()),
            "behind_word": float(bool(before) and (before[-1].isalnum() or before[-1] == "_")),
            "line_end": float(not (after and after.group().strip())),
            "automatic": float(query.automatic),
            "cached": float(_cache(completion) not in ("miss", "")),
            "total_ms": completion.timings_ms.get("total", 0.0),
        },
    )


def language_of(identifier: str) -> str:
    """The client's language identifier, when it looks like one."""
    return identifier.lower() if _LANGUAGE.fullmatch(identifier.lower()) else "other"


def kind_of(reason: str) -> str:
    """A reason as a kind: what follows a colon is particular to the case, and so are numbers."""
    kind = re.sub(r"\d+", "N", reason.split(":")[0])
    return kind if not kind or _PLAIN.fullmatch(kind) else "other"


def _cache(completion: Completion) -> str:
    found = next((stage.outcome for stage in completion.stages if stage.stage == "cache"), "")
    return kind_of(found)
