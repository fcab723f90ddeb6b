"""Finds secrets in a text: the rules of kingfisher in this process, our own, and those of the policy.

Detection only: a found secret is never tried out, and nothing here opens a socket. Spans are in code points.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pointsman.errors import GatewayError
from pointsman.gateway.rules import PERSONAL, SECRETS, Rule, compiled
from pointsman.policy.schema import CustomRule

_SCAN_SECONDS = 10.0


class Kingfisher:
    """The kingfisher scanner, loaded at first use: 3 s the first time, then from its cache of compiled rules."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._scanner: Any = None

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
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
    """All rules that one policy asks for."""

    def __init__(
        self, kingfisher: Kingfisher, *, secrets: bool, personal: bool, custom: tuple[CustomRule, ...] = ()
    ) -> None:
        self._kingfisher = kingfisher if secrets else None
        self._rules = (
            *(SECRETS if secrets else ()),
            *(PERSONAL if personal else ()),
            *(Rule(f"custom.{rule.name}", compiled(rule.pattern)) for rule in custom),
        )

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, rule) of every secret, in code points; spans may overlap.

        `text` must be valid Unicode. Raises `GatewayError` when it cannot be scanned to its end.
        """
        spans = [span for rule in self._rules for span in _matches(rule, text)]
        if self._kingfisher is not None:
            spans += self._kingfisher.find(text)
        return spans


def _matches(rule: Rule, text: str) -> Iterator[tuple[int, int, str]]:
    for match in rule.pattern.finditer(text):
        group = 1 if rule.pattern.groups else 0
        start, end = match.span(group)
        if start < end and rule.accept(text[start:end]):
            yield start, end, rule.name
