"""Finds the layers of policy on disk and merges them into the one that holds for a workspace.

Knows where each layer lives and which may grant; what they mean is `schema`, how they combine is `merge`. A layer
that cannot be read or understood becomes a problem, never an exception: local work goes on, unless what the layer
excludes cannot be known.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pointsman import safefile
from pointsman.errors import ConfigError
from pointsman.policy import merge
from pointsman.policy.effective import Effective
from pointsman.policy.parse import Problem, parse
from pointsman.policy.schema import LimitFile, PolicyFile
from pointsman.policy.trust import Trust
from pointsman.settings import Paths

ORGANISATION = Path("/etc/pointsman/policy.toml")
REPOSITORY = Path(".pointsman") / "policy.toml"
VARIABLE = "POINTSMAN_POLICY"

F = TypeVar("F", PolicyFile, LimitFile)


def load(
    paths: Paths,
    workspace: Path | None,
    *,
    organisation: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Effective:
    """The policy for `workspace` as the files are now. None stands for no workspace, which is never trusted.

    Reads nothing of an untrusted workspace. Never raises for a bad layer: see `Effective.problems`.
    """
    env = os.environ if env is None else env
    problems: list[Problem] = []
    grants = [
        merge.Grant(layer, file)
        for layer, path in (("organisation", organisation or ORGANISATION), ("user", paths.config / "policy.toml"))
        if (file := _read(path, PolicyFile, layer, problems)) is not None
    ]
    limits = []
    trusted = workspace is not None and Trust(paths.config).is_trusted(workspace)
    if trusted and workspace is not None:
        if (workspace / REPOSITORY.parent).is_symlink():
            problems.append(_problem("repository", workspace / REPOSITORY, "lies in a folder that is a symbolic link"))
        elif (own := _read(workspace / REPOSITORY, LimitFile, "repository", problems)) is not None:
            limits.append(merge.Limit("repository", own))
    if named := env.get(VARIABLE):
        path = Path(named).expanduser().absolute()
        if (extra := _read(path, LimitFile, VARIABLE, problems, required=True)) is not None:
            limits.append(merge.Limit(VARIABLE, extra))
    return merge.merge(grants, limits, trusted=trusted, problems=problems)


Layer = Literal["organisation", "user", "repository"]


def check(path: Path, layer: Layer | None = None) -> Effective:
    """One policy file by itself, read as that layer or as the one that its place makes it: what it would grant to a
    trusted workspace, and what is wrong with it."""
    layer = layer or ("repository" if path.parts[-2:] == REPOSITORY.parts else "user")
    problems: list[Problem] = []
    if layer == "repository":
        limit = _read(path, LimitFile, layer, problems, required=True)
        return merge.merge([], [merge.Limit(layer, limit)] if limit else [], trusted=True, problems=problems)
    grant = _read(path, PolicyFile, layer, problems, required=True)
    return merge.merge([merge.Grant(layer, grant)] if grant else [], [], trusted=True, problems=problems)


def _read(path: Path, form: type[F], layer: str, problems: list[Problem], *, required: bool = False) -> F | None:
    try:
        text = safefile.read(path)
    except FileNotFoundError:
        if required:
            problems.append(_problem(layer, path, "does not exist"))
        return None
    except ConfigError as error:
        problems.append(_problem(layer, path, error.message.removeprefix(f"{path} ")))
        return None
    except OSError as error:
        problems.append(_problem(layer, path, f"cannot be read: {error.strerror}"))
        return None
    file, found = parse(text, form, layer=layer, file=str(path))
    problems.extend(found)
    return file


def _problem(layer: str, path: Path, message: str) -> Problem:
    return Problem(layer=layer, file=str(path), line=0, message=message, hides=True)
