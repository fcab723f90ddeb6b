"""One line of a model's prose: pictures become their descriptions, links that leave the repository their text,
addresses and HTML code. Code stays as it is.

A hostile reply must not keep the editor waiting, so the time is in proportion to the length, whatever the text: no
pattern is tried from many places over the same characters, and what a mark's partner is gets looked up from where the
search stands.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pointsman.hidden import IN_TEXT

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_INDENTED_FENCE = re.compile(r"(\s+)(`{3,}|~{3,})([\w+#.-]*\s*)")
_REFERENCE = re.compile(r"&#?\w{1,40};")
_ENDED = re.compile(r"&#?\w{1,40};\Z")
_LONGEST_REFERENCE = 43
_ESCAPED_TICK = re.compile(r"(?<!\\)\\+(?=`)")
_TICKS = re.compile(r"`+")
_LONGEST_LABEL = 500
_IMAGE_END = re.compile(r"\](?:\([^)\n]*\)?|\[[^\]\n]*\])?")
_LINK_END = re.compile(r"\]\(\s*(<[^<>\n]*>|(?:[^()\s\[<>]|\([^()\s\[]*\))*)(?:\s+[\"'][^\[\]()\n]*[\"'])?(?:\s*(\)))?")
_LABEL_END = re.compile(r"^((?:[^\[\]\\]|\\.)*\]|[\s>*+\-\d.)]*\[(?:[^\[\]\\]|\\.)*\]):")
"""What would end the label of a link's definition, which may have begun in another line, a list or a quotation."""
_TAG = re.compile(r"<(?=[A-Za-z/!?])[^>\n]*>?")
_ADDRESS = re.compile(r"(?:\b[A-Za-z][A-Za-z0-9+.-]{1,30}:(?=[^\s:])(?://)?|\bwww\.|//(?=[\w-]+\.))[^\s`<>)\]]*")
_SCHEMES = re.compile(r"(?i)(?:https?|ftp|file|data|javascript|vbscript|command|vscode[\w-]*|mailto|ws|wss|ssh|git):")
_PASSES = 8
"""What one construct leaves may be another, as "[" and "]" of two links."""


def printable(text: str) -> str:
    """`text` without terminal escape sequences, control, bidirectional and invisible characters."""
    return IN_TEXT.sub("", _ESCAPE.sub("", text))


def prose(line: str) -> str:
    """A line of prose; what stands between backticks is code and stays."""
    if mark := _INDENTED_FENCE.fullmatch(line):  # within a list; tildes cannot begin code in a line
        return f"{mark[1]}{'~' * len(mark[2])}{mark[3]}"
    for _ in range(_PASSES):
        before, line = line, _pass(line)
        if line == before:
            break
    return line


def _pass(line: str) -> str:
    line = _ESCAPED_TICK.sub("", line)
    parts, at = [], 0
    for start, end in _code(line):
        parts += [_prose(line[at:start]), line[start:end]]
        at = end
    return _beside([*parts, _prose(line[at:])])


def _code(line: str) -> Iterator[tuple[int, int]]:
    """The pieces of code: what stands between two runs of as many backticks."""
    runs = [run.span() for run in _TICKS.finditer(line)]
    partner: dict[int, int] = {}
    latest: dict[int, int] = {}
    for start, end in reversed(runs):
        if known := latest.get(end - start):
            partner[start] = known
        latest[end - start] = end
    at = 0
    for start, _ in runs:
        if start >= at and start in partner:
            yield start, (at := partner[start])


def _beside(parts: Iterable[str]) -> str:
    """The parts with their backticks apart: together they would mark another piece of code."""
    out = [""]
    for part in filter(None, parts):
        out.append(f" {part}" if out[-1].endswith("`") and part.startswith("`") else part)
    return "".join(out)


def _prose(text: str) -> str:
    text = _decoded(text).replace("`", "")
    text = _LABEL_END.sub(r"\1 :", text)
    text = _without_links(_without_images(text))
    text = _TAG.sub(lambda tag: f"`{tag[0]}`", text)
    text = _ESCAPED_TICK.sub("", _outside_links(text))
    return text.replace("``", "` `")


def _opening(text: str, mark: str, at: int, close: int) -> int:
    """Where the label begins that ends at `close`: the first `mark` behind `at` with no end of another between; -1."""
    low = max(at, close - _LONGEST_LABEL - len(mark))
    return text.find(mark, max(low, text.rfind("]", low, close) + 1), close)


def _without_images(text: str) -> str:
    parts, at, close = [], 0, text.find("]")
    while close >= 0:
        start, past = _opening(text, "![", at, close), close + 1
        if start >= 0 and (end := _IMAGE_END.match(text, close)):
            parts += [text[at:start], text[start + 2 : close]]
            at = past = end.end()
        close = text.find("]", past)
    return "".join((*parts, text[at:]))


@dataclass(frozen=True, slots=True)
class _Span:
    """A link, or a piece of code, which has no label and stays."""

    start: int
    end: int
    label: str = ""
    stays: bool = True


def _spans(text: str, *, code: bool) -> Iterator[_Span]:
    """The links from left to right, and with `code` what is between backticks; none of them overlap."""
    at, close, tick = 0, text.find("]("), text.find("`") if code else -1
    while close >= 0 or tick >= 0:
        start = -1
        while close >= 0 and (start := _opening(text, "[", at, close) if close >= at else -1) < 0:
            close = text.find("](", max(at, close + 1))
        if tick >= 0 and (close < 0 or tick < start):
            end = text.find("`", tick + 1) + 1
            if not end:  # no other follows: what begins here is a link, if anything
                tick = -1
                continue
            yield _Span(tick, end)
            at = end
        elif link := _LINK_END.match(text, close) if close >= 0 else None:
            at = link.end()
            yield _Span(start, at, text[start + 1 : close], bool(link[2]) and _inside(link[1]))
        if 0 <= tick < at:
            tick = text.find("`", at)


def _without_links(text: str) -> str:
    """With the labels of those that do not stay."""
    parts, at = [], 0
    for link in _spans(text, code=False):
        parts += [text[at : link.start], text[link.start : link.end] if link.stays else link.label]
        at = link.end
    return "".join((*parts, text[at:]))


def _outside_links(text: str) -> str:
    """Bare addresses as code, but for those that are the target of a link that stays or are code by now."""
    parts, at = [], 0
    for span in _spans(text, code=True):
        if span.stays:
            parts += [_loose(text[at : span.start]), text[span.start : span.end]]
            at = span.end
    return "".join((*parts, _loose(text[at:])))


def _loose(text: str) -> str:
    """Without addresses, and without what is left of a link or picture that is in two lines."""
    return _ADDRESS.sub(_coded, text.replace("](", "] (").replace("![", "! ["))


def _decoded(text: str) -> str:
    """`text` with its character references as what they stand for, in one line: a renderer reads them late, and what
    it then has must have been looked at. What one stands for may be a part of another, so it is read again."""
    text = _one_line(text)
    if not _REFERENCE.search(text):
        return text
    done: list[str] = []
    waiting = list(reversed(text))
    while waiting:
        done.append(waiting.pop())
        if done[-1] == ";" and (found := _ENDED.search("".join(done[-_LONGEST_REFERENCE:]))):
            meant = _one_line(html.unescape(found[0]))
            if meant != found[0]:
                del done[-len(found[0]) :]
                waiting += reversed(meant)
    return "".join(done)


def _one_line(text: str) -> str:
    return printable(text).replace("\n", " ")


def _coded(address: re.Match[str]) -> str:
    found = address[0]
    if not (_SCHEMES.match(found) or "//" in found or found.startswith("www.")):
        return found  # a word with a colon, such as std::vector or a type
    return f"`{found}`"


def _inside(target: str) -> bool:
    """Whether a link's target is a path in the repository: relative, without a way up or out."""
    target = target.replace("\\", "/")
    if not target or target.startswith(("/", "~", "?", "%", "<")) or ":" in target.partition("#")[0]:
        return False
    if "%" in target or "&" in target:
        return False
    return ".." not in target.split("/")
