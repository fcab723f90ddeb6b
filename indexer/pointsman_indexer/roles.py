"""What a file is for, by its path: the source itself, its tests, examples, documentation, or what others wrote.

Conventions of the common ecosystems, not of any one repository. Pure.
"""

from __future__ import annotations

import functools
import re
from typing import Literal

Role = Literal["source", "test", "example", "documentation", "generated", "vendored"]

_FOLDERS: tuple[tuple[Role, frozenset[str]], ...] = (
    ("vendored", frozenset({"vendor", "vendored", "_vendor", "third_party", "third-party", "node_modules"})),
    ("generated", frozenset({"generated", "__generated__", "gen", "_generated", "dist", "build", "migrations"})),
    ("test", frozenset({"test", "tests", "__tests__", "spec", "specs", "testdata", "fixtures", "e2e", "benchmarks"})),
    ("example", frozenset({"example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials"})),
    ("documentation", frozenset({"doc", "docs", "documentation", "changelogs", "news"})),
)
_TEST_FILE = re.compile(r"test_.*|.*[._-](?:test|tests|spec|specs)|conftest|tests?|.*[a-z]Tests?|.*[a-z]TestCase")
_GENERATED_FILE = re.compile(r".*(?:_pb2(?:_grpc)?|\.pb|\.generated|\.gen|_generated|\.min|\.bundle)")
_DOCUMENT = frozenset({"md", "rst", "txt", "adoc", "markdown"})


@functools.lru_cache(maxsize=65536)
def role_of(path: str) -> Role:
    """The role of a root-relative path with `/`."""
    *folders, name = path.split("/")
    lowered = {folder.casefold() for folder in folders}
    for role, known in _FOLDERS:
        if lowered & known:
            return role
    stem, _, extension = name.rpartition(".")
    if _GENERATED_FILE.fullmatch(stem):
        return "generated"
    if _TEST_FILE.fullmatch(stem or name):
        return "test"
    return "documentation" if extension.casefold() in _DOCUMENT else "source"
