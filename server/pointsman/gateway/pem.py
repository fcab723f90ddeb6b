"""Private keys between their BEGIN and END lines, and what is left of one where a window begins or ends inside it.

The rest of a key has no name. It is told by its lines, all of one length that a writer of keys wraps at: other blocks
that say what they are, and files known by their first bytes, are no keys.
"""

from __future__ import annotations

import base64

from pointsman.gateway.rules import Rule, compiled

_WIDTHS = (64, 70, 76)
"""PEM, OpenSSH, and MIME with OpenPGP."""
_LETTER = "[A-Za-z0-9+/]"
_MARGIN = r"[ \t\"'#*>|+/-]{0,40}"
_BREAK = rf"[ \t\"',;\\+]{{0,20}}(?:\r?\n|\r){_MARGIN}"
_GAP = r"[\s\"'#*>|,;\\+]{1,80}"
_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_OTHER_END = (
    r"-----END [A-Z0-9 ]{0,40}(?:CERTIFICATE|REQUEST|PUBLIC KEY|PUBLIC KEY BLOCK|PARAMETERS|SIGNATURE|MESSAGE|CRL"
    r"|PKCS7|CMS|LIST)-----"
)
# PNG, JPEG, GIF, WebP and WAV, PDF, gzip, ZIP, fonts, SVG, XML and TIFF.
_KNOWN_FILE = "(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|JVBERi0|H4sI|UEsDB|d09G[Rj]|T1RUTw|PHN2Zy|PD94bWw|SUkqA|TU0AK)"


def _lines(width: int) -> str:
    return rf"(?:{_LETTER}{{{width}}}{_BREAK}){{2,}}{_LETTER}{{{width}}}"


_BLOCK = "|".join(
    rf"(?:\A{_LETTER}{{1,{width}}}{_BREAK})?{_lines(width)}(?:{_BREAK}{_LETTER}{{1,{width}}}={{0,2}})?"
    for width in _WIDTHS
)
_START = rf"(?:\A|[\r\n]){_MARGIN}"
_OTHER = (
    rf"-----BEGIN [A-Z0-9 ]{{1,40}}-----[A-Za-z0-9+/=\s\"'#*>|,;\\]*"
    rf"|(?:{_START}|[^A-Za-z0-9+/]){_KNOWN_FILE}{_LETTER}*(?:{_BREAK}{_LETTER}+)*"
    rf"|{_START}(?:{_LETTER}{{1,76}}={{0,2}}{_BREAK})+{_OTHER_END}"
)


def _binary(value: str) -> bool:
    """Whether each full line mixes digits and letters of both cases, as no hash in hexadecimal or name does, and they
    do not say mere text."""
    stripped = (line.strip(" \t\"'#*>|-,;\\") for line in value.splitlines())
    lines = [line for line in stripped if len(line) >= min(_WIDTHS)]
    if not all(
        any(c.islower() for c in line) and any(c.isupper() for c in line) and any(c.isdigit() for c in line)
        for line in lines
    ):
        return False
    return not all(base64.b64decode(line[: len(line) & ~3]).isascii() for line in lines)


PRIVATE_KEYS = (
    Rule(
        "private-key",
        compiled(rf"-----BEGIN [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:{_END}|\z)"),
        keywords=("private key",),
        shaped=True,
    ),
    Rule(
        "private-key-end",
        compiled(
            rf"(?:\A{_LETTER}+={{0,2}}{_GAP}|{_LETTER}{{24,}}={{0,2}}{_GAP})(?:{_LETTER}{{24,}}{_GAP})*"
            rf"(?:=?{_LETTER}+={{0,2}}{_GAP}){{0,2}}{_END}"
        ),
        keywords=("private key",),
        shaped=True,
    ),
    Rule(
        "private-key-lines",
        compiled(rf"{_OTHER}|{_START}({_BLOCK})(?:[^A-Za-z0-9+/]|\z)"),
        _binary,
        shaped=True,
    ),
)
