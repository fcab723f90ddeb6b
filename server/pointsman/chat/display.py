"""A model's text on its way to a person: nothing in it runs, fetches, or leads out of the repository.

Whoever plants an instruction in a repository wants the answer to carry data away: by a picture that the editor fetches,
by a link that someone clicks, by markup, or by a terminal's escape sequences (security notes on chat panels call the
first one a markdown image leak). So pictures become their descriptions, links that leave the repository become their
text, bare addresses and HTML become code, which no renderer turns into anything. Code stays as it is, and what code is
must be plain to every renderer: a mark of it that has no partner in its line is taken out, and so is what escapes one.
"""

from __future__ import annotations

import html
import re

from pointsman.hidden import IN_TEXT

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_INDENTED_FENCE = re.compile(r"(\s+)(`{3,}|~{3,})([\w+#.-]*\s*)")
_REFERENCE = re.compile(r"&#?\w{1,40};")
_ESCAPED_TICK = re.compile(r"\\+(?=`)")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_IMAGE = re.compile(r"!\[([^\]\n]{0,500})\](?:\([^)\n]*\)?|\[[^\]\n]*\])?")
_LINK = re.compile(
    r"\[([^\]\n]{0,500})\]\(\s*(<[^<>\n]*>|(?:[^()\s\[<>]|\([^()\s\[]*\))*)(?:\s+[\"'][^\[\]()\n]*[\"'])?(?:\s*(\)))?"
)
_KEPT = re.compile(rf"`[^`]*`|{_LINK.pattern}")
_LABEL_END = re.compile(r"^((?:[^\[\]\\]|\\.)*\]|[\s>*+\-\d.)]*\[(?:[^\[\]\\]|\\.)*\]):")
"""What would end the label of a link's definition, which may have begun in another line, a list or a quotation."""
_TAG = re.compile(r"<(?=[A-Za-z/!?])[^>\n]*>?")
_ADDRESS = re.compile(r"(?:\b[A-Za-z][A-Za-z0-9+.-]{1,30}:(?=[^\s:])(?://)?|\bwww\.|//(?=[\w-]+\.))[^\s`<>)\]]*")
_SCHEMES = re.compile(r"(?i)(?:https?|ftp|file|data|javascript|vbscript|command|vscode[\w-]*|mailto|ws|wss|ssh|git):")
_PASSES = 8
"""What one construct leaves may be another, as "[" and "]" of two links."""
_OPEN = re.compile(r"[\[\]<`!:&\\]|//|www")


def printable(text: str) -> str:
    """`text` without terminal escape sequences, control, bidirectional and invisible characters."""
    return IN_TEXT.sub("", _ESCAPE.sub("", text))


def harmless(text: str) -> str:
    """Markdown that only shows something. Applying it again changes nothing."""
    lines, fence = [], ""
    for line in printable(text).split("\n"):
        fence, shown = _shown(line, fence)
        lines.append(shown)
    return "\n".join(lines)


class Streamed:
    """An answer that comes in pieces: `feed` gives what may be shown so far, whole constructs only."""

    def __init__(self) -> None:
        self._line = ""
        self._out = 0
        """Characters of the line that are shown already."""
        self._fence = ""

    def feed(self, piece: str) -> str:
        out = []
        *whole, rest = (self._line + piece).split("\n")
        for line in whole:
            self._fence, shown = _shown(line, self._fence)
            out.append(shown[self._out :] + "\n")
            self._out = 0
        self._line = rest
        # Plain words go out as they come; where something begins, the rest of the line waits for its end.
        begun = _OPEN.search(rest)
        words = rest[: begun.start() if begun else None].rpartition(" ")[0]
        if not self._fence and words.isprintable() and len(words) > self._out:
            out.append(words[self._out :])
            self._out = len(words)
        return "".join(out)

    def end(self) -> str:
        """What was still held back."""
        rest = _shown(self._line, self._fence)[1][self._out :]
        self._line, self._out = "", 0
        return rest


def _shown(line: str, fence: str) -> tuple[str, str]:
    """(the fence that is open behind the line, what is shown of the line). What cannot be seen goes first: a renderer
    never gets it, so it must not decide where code ends."""
    line = printable(line)
    fence, inside = _fenced(line, fence)
    return fence, line if inside else _line(line)


def _fenced(line: str, fence: str) -> tuple[str, bool]:
    """(the fence that is open behind the line, whether the line is code or a fence itself)."""
    mark = _FENCE.match(line)
    if not fence:
        # An indented one may belong to a list's item, and ends with it wherever that ends: it opens nothing here.
        return (mark[1], True) if mark and line[0] != " " else ("", False)
    closes = mark and mark[1].startswith(fence) and not line.strip().strip(fence[0])
    return ("", True) if closes else (fence, True)


def _line(line: str) -> str:
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
    out, at = "", 0
    for code in _CODE.finditer(line):
        out = _beside(_beside(out, _prose(line[at : code.start()])), code[0])
        at = code.end()
    return _beside(out, _prose(line[at:]))


def _beside(text: str, more: str) -> str:
    """The two with their backticks apart: together they would mark another piece of code."""
    return f"{text} {more}" if text.endswith("`") and more.startswith("`") else text + more


def _prose(text: str) -> str:
    text = _decoded(text).replace("`", "")
    text = _LABEL_END.sub(r"\1 :", text)
    text = _IMAGE.sub(r"\1", text)
    text = _LINK.sub(lambda link: link[0] if _stays(link) else link[1], text)
    text = _TAG.sub(lambda tag: f"`{tag[0]}`", text)
    text = _ESCAPED_TICK.sub("", _outside_links(text))
    return text.replace("``", "` `")


def _outside_links(text: str) -> str:
    """Bare addresses as code, but for those that are the target of a link that stays or are code by now."""
    out, at = "", 0
    for part in _KEPT.finditer(text):
        if part[0].startswith("`") or _stays(part):
            out += _loose(text[at : part.start()]) + part[0]
            at = part.end()
    return out + _loose(text[at:])


def _loose(text: str) -> str:
    """Without addresses, and without what is left of a link or picture that is in two lines."""
    return _ADDRESS.sub(_coded, text.replace("](", "] (").replace("![", "! ["))


def _stays(link: re.Match[str]) -> bool:
    return bool(link[3]) and _inside(link[2])


def _meant(reference: re.Match[str]) -> str:
    return html.unescape(reference[0])


def _decoded(text: str) -> str:
    """`text` with its character references as what they stand for, in one line: a renderer reads them late, and what
    it then has must have been looked at."""
    while (once := printable(_REFERENCE.sub(_meant, text)).replace("\n", " ")) != text:
        text = once
    return text


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
