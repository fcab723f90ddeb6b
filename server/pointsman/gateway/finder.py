"""Finds secrets in a text: the rules of kingfisher in this process, our own, and those of the policy.

Each view of the text is looked at, so that neither an escape nor a join hides a secret. Detection only: a found secret
is never tried out, and nothing here opens a socket. Spans are in code points.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import re2

from pointsman.errors import GatewayError
from pointsman.gateway import views
from pointsman.gateway.credentials import CREDENTIALS
from pointsman.gateway.formats import FORMATS
from pointsman.gateway.personal import PERSONAL
from pointsman.gateway.places import PLACES
from pointsman.gateway.rules import Rule, compiled
from pointsman.policy.schema import CustomRule

Finding = tuple[int, int, str]
"""Start, end, rule."""
_SCAN_SECONDS = 10.0
_LEAST_ACROSS = 4
"""Characters of a secret that runs over a line's end that must stand on either line."""


class Kingfisher:
    """The kingfisher scanner, loaded at first use: 3 s the first time, then from its cache of compiled rules."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._scanner: Any = None

    def find(self, text: str) -> Iterator[Finding]:
        """Raises `GatewayError` when the scan cannot be finished."""
        # A newline goes first: no byte-order mark at the start can shift the offsets.
        data = b"\n" + text.encode("utf-8")
        try:
            findings = self._loaded().scan(data, timeout=_SCAN_SECONDS)
        except Exception as error:
            raise GatewayError(f"the scan for secrets failed ({type(error).__name__}), so nothing is sent") from None
        for finding in findings:
            start, end = finding.location["start_offset"], finding.location["end_offset"]
            # Offsets are bytes; one inside a character takes in the whole of it.
            first = len(data[:start].decode("utf-8", "ignore")) - 1
            last = len(data[:end].decode("utf-8", "replace")) - 1
            yield max(0, first), last, finding.rule_id

    def _loaded(self) -> Any:
        with self._lock:
            if self._scanner is None:
                from kingfisher_sdk import DetectionPolicy, Rules, Scanner

                folder = self._cache / "secret-rules"
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                # Comments in the text that ask to be ignored, or markup around it, must not hide a secret.
                policy = DetectionPolicy(inline_ignores=False, markup_context=False, cli_match_semantics=False)
                self._scanner = Scanner(Rules(cache_dir=folder), policy=policy)
            return self._scanner


class Finder:
    """All rules that one policy asks for. Without `kingfisher` only our own, which need no time to load."""

    def __init__(
        self, kingfisher: Kingfisher | None, *, secrets: bool, personal: bool, custom: tuple[CustomRule, ...] = ()
    ) -> None:
        self._kingfisher = kingfisher if secrets else None
        self._rules = _Rules(
            (
                *(FORMATS if secrets else ()),
                *((*CREDENTIALS, *PLACES) if secrets else ()),
                *(PERSONAL if personal else ()),
                *(Rule(f"custom.{rule.name}", compiled(rule.pattern)) for rule in custom),
            )
        )
        self._shaped = _Rules(FORMATS if secrets else ())

    def find(self, text: str, *, disguised: bool = True) -> list[Finding]:
        """Every secret, in code points; spans may overlap. `disguised`: also in the text's other views.

        `text` must be valid Unicode. Raises `GatewayError` when it cannot be scanned to its end.
        """
        found = list(self._plain(text))
        if not disguised:
            return found
        folded = views.folded(text)
        if folded is not None:
            found += _back(folded, self._plain(folded.text))
        inner = folded.text if folded is not None else text
        for start, end, decoded in views.blobs(inner):
            if (rule := self._hidden(decoded)) is not None:
                found += _back(folded, [(start, end, rule)])
        found += self._across(inner, folded)
        return found

    def _plain(self, text: str) -> Iterator[Finding]:
        yield from self._rules.find(text)
        if self._kingfisher is not None:
            yield from self._kingfisher.find(text)

    def _hidden(self, decoded: str, depth: int = 2) -> str | None:
        """The rule that finds something in what a run of hexadecimal or base64 says."""
        for _, _, rule in self._plain(decoded):
            return rule
        if depth:
            for _, _, inner in views.blobs(decoded):
                if (deeper := self._hidden(inner, depth - 1)) is not None:
                    return deeper
        return None

    def _across(self, text: str, folded: views.View | None) -> Iterator[Finding]:
        """Secrets of a shape of their own that run over the end of a line or of a list's item."""
        run_on = views.run_on(text)
        if run_on is None:
            return
        for start, end, rule in self._shaped.find(run_on.text):
            spans = run_on.origin(start, end)
            if len(spans) > 1 and all(right - left >= _LEAST_ACROSS for left, right in spans):
                yield from _back(folded, [(left, right, rule) for left, right in spans])


class _Rules:
    """A table of rules, of which only those run whose words occur."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._always = tuple(rule for rule in rules if not rule.keywords)
        self._worded = tuple((rule, frozenset(rule.keywords)) for rule in rules if rule.keywords)
        words = sorted({word for _, keywords in self._worded for word in keywords})
        self._words: list[str] = words
        self._set = _set_of(words) if words else None

    def find(self, text: str) -> Iterator[Finding]:
        for rule in self._always:
            yield from _matches(rule, text)
        if self._set is None:
            return
        present = {self._words[index] for index in self._set.Match(text) or ()}
        for rule, keywords in self._worded:
            if not present.isdisjoint(keywords):
                yield from _matches(rule, text)


def _set_of(words: Sequence[str]) -> Any:
    """Finds in one pass which of the words occur, in any case."""
    options = re2.Options()
    options.case_sensitive = False
    found = re2.Set.SearchSet(options)
    for word in words:
        found.Add(re2.escape(word))
    found.Compile()
    return found


def _matches(rule: Rule, text: str) -> Iterator[Finding]:
    for match in rule.pattern.finditer(text):
        for group in rule.groups:
            start, end = match.span(group)
            if start < end and rule.accept(text[start:end]):
                yield start, end, rule.name


def _back(view: views.View | None, findings: Iterable[Finding]) -> Iterator[Finding]:
    for start, end, rule in findings:
        for left, right in [(start, end)] if view is None else view.origin(start, end):
            yield left, right, rule
