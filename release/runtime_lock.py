"""The lock without what only developers need: the part of it that the installed server's requirements reach."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_APART = "torch"  # has a lock of its own
_PLATFORMS = {
    ("linux", "Linux"): ("x86_64", "aarch64"),
    ("darwin", "Darwin"): ("x86_64", "arm64"),
}
_ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": platform,
        "platform_system": system,
        "platform_machine": machine,
    }
    for python in ("3.11", "3.12", "3.13")
    for (platform, system), machines in _PLATFORMS.items()
    for machine in machines
]
"""Where the released server runs, whatever the machine that releases it."""


def runtime_lock(lock: str) -> str:
    """Entries of `lock`, with their hashes, that `pointsman` needs anywhere. Reads installed metadata.

    What torch needs is among them as far as the lock has it: the rest is of some builds of torch alone.
    """
    entries = {canonicalize_name(found[1]): found[0] for found in re.finditer(r"(?m)^([\w.-]+)==(?:.*\\\n)+.*\n", lock)}
    needed = _reached("pointsman", entries)
    if missing := needed - entries.keys() - {_APART}:
        raise SystemExit(f"not in requirements.lock: {', '.join(sorted(missing))}; run `make lock`")
    needed |= _reached(_APART, entries)
    return "".join(entry for name, entry in entries.items() if name in needed)


def _reached(root: str, known: Collection[str]) -> set[str]:
    """What `root` requires, and what that requires as far as it is `known`."""
    asked: set[tuple[str, str]] = set()
    waiting = [(root, "")]
    while waiting:
        name, extra = waiting.pop()
        for need in _needs(name, extra):
            found = canonicalize_name(need.name)
            fresh = {(found, wanted) for wanted in ("", *need.extras)} - asked
            asked |= fresh
            if found in known:
                waiting.extend(fresh)
    return {name for name, _ in asked}


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    """The requirements that hold in any of the environments."""
    try:
        texts = requires(name) or []
    except PackageNotFoundError:
        raise SystemExit(f"{name} is not installed, so what it needs is not known; run `make install`") from None
    for need in map(Requirement, texts):
        if need.marker is None or any(need.marker.evaluate({**env, "extra": extra}) for env in _ENVIRONMENTS):
            yield need
