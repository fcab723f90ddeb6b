"""The lock without what only developers need: the part of it that the installed server's requirements reach."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_APART = "torch"  # has a lock of its own


def runtime_lock(lock: str) -> str:
    """Entries of `lock`, with their hashes, that `pointsman` needs on this platform. Reads installed metadata."""
    entries = {canonicalize_name(found[1]): found[0] for found in re.finditer(r"(?m)^([\w.-]+)==(?:.*\\\n)+.*\n", lock)}
    needed = _reached("pointsman")
    missing = needed - set(entries) - {_APART} - {name for name in needed if not _installed(name)}
    if missing:
        raise SystemExit(f"not in requirements.lock: {', '.join(sorted(missing))}; run `make lock`")
    return "".join(entry for name, entry in entries.items() if name in needed)


def _reached(root: str) -> set[str]:
    reached: set[str] = set()
    waiting = [(root, frozenset[str]())]
    while waiting:
        name, extras = waiting.pop()
        for text in requires(name) or [] if _installed(name) else []:
            need = Requirement(text)
            wanted = need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""})
            found = canonicalize_name(need.name)
            if wanted and found not in reached:
                reached.add(found)
                if found != _APART:
                    waiting.append((found, frozenset(need.extras)))
    return reached


def _installed(name: str) -> bool:
    try:
        requires(name)
    except PackageNotFoundError:
        return False
    return True
