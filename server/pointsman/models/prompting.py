"""From messages and user text to a prompt string, by templates that are plain data.

The one place that puts a model's own markers next to text that a user, a repository or a model wrote. Such text is
broken up wherever it spells a marker, so that it can never open or close a turn. Knows no tokenizer and no pipeline.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from pointsman.models.card import ChatTemplate
from pointsman_indexer.oneline import one_line

CHARS_PER_TOKEN = 3.2
"""Code points of source text behind one token. Measured as 3.5 for SmolLM2 on Python; less, so that a budget holds."""
_WIDE_BYTES_PER_TOKEN = 1.5
"""The same for what is not ASCII, in bytes of UTF-8. SmolLM2 has 2.3 for Russian, 1.9 for Chinese, 1.4 for Georgian and
1.1 for Korean; tokenizers with a larger vocabulary have more."""


def chars_per_token(text: str) -> float:
    """Code points of `text` behind one of its tokens: far fewer in scripts that a tokenizer spells byte by byte."""
    if text.isascii():
        return CHARS_PER_TOKEN
    plain = len(text.encode("ascii", "ignore"))
    wide = len(text.encode("utf-8", "surrogatepass")) - plain
    return len(text) / (plain / CHARS_PER_TOKEN + wide / _WIDE_BYTES_PER_TOKEN)


def estimate_tokens(text: str) -> int:
    """Tokens of `text`, from its length alone: no tokenizer runs outside the engine."""
    return int(len(text) / chars_per_token(text)) + 1


def neutralise(text: str, special_tokens: Iterable[str]) -> str:
    """`text` with a space inside everything that spells one of `special_tokens`, so that none of them is left.

    Markers of a single code point are ordinary characters to a tokenizer and stay as they are.
    """
    markers = sorted({token for token in special_tokens if len(token) > 1}, key=len, reverse=True)
    if not markers:
        return text
    pattern = re.compile("|".join(re.escape(marker) for marker in markers))
    while pattern.search(text):  # breaking one marker can leave another that overlapped it
        text = pattern.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)
    return text


def unbroken(text: str, original: str, special_tokens: Iterable[str]) -> str:
    """`text`, copied from an `original` that was neutralised, with the markers that `original` spells whole again."""
    for marker in (token for token in special_tokens if len(token) > 1 and token in original):
        broken = f"{marker[0]} {marker[1:]}"
        text = text if broken in original else text.replace(broken, marker)
    return text


def without_markers(text: str, special_tokens: Iterable[str]) -> str:
    """An answer up to the first marker in it: what a model writes after one is not meant for the user."""
    cuts = [text.find(token) for token in special_tokens if len(token) > 1 and token in text]
    return text[: min(cuts)] if cuts else text


def render_chat(
    template: ChatTemplate,
    messages: Sequence[tuple[str, str]],
    special_tokens: Iterable[str],
    *,
    answer_start: str = "",
) -> str:
    """The prompt for a list of (role, content), open for the assistant's answer, which begins with `answer_start`.

    Contents and `answer_start` are neutralised here, whoever wrote them. Raises `KeyError` for a role that the
    template lacks.
    """
    specials = tuple(special_tokens)
    parts = [template.begin]
    for role, content in messages:
        before, after = template.turns[role]
        parts += [before, neutralise(content, specials), after]
    return "".join([*parts, template.open, neutralise(answer_start, specials)])


def fence_for(*texts: str) -> str:
    """A delimiter for blocks of data, made from what it delimits, so that the same request gives the same prompt.

    Text inside must still go through `fenced`: this makes the delimiter unlikely there, that makes it impossible.
    """
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:8]


def fenced(text: str, fence: str) -> str:
    """`text` with every spelling of the fence broken up, fit to stand between two fences."""
    return text.replace(fence, f"{fence[0]} {fence[1:]}")


def named(text: str, fence: str) -> str:
    """A path or a name, which somebody else chose, fit to stand outside of fences: one line, nothing invisible."""
    return fenced(one_line(text), fence)


def ticks_for(text: str) -> str:
    """A Markdown code fence longer than any run of backquotes in `text`."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)
