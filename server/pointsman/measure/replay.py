"""`bench typing`: the same keystrokes into a real `pointsman serve` and into llama.cpp, burst by burst in turns.

Pointsman runs on folders of its own with the user's settings, policy and models: the user's host, indexes and
records are left alone. The repository is a clone, which stands at the commit before the change that is typed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from pointsman.errors import PointsmanError
from pointsman.host.api import IndexParams, IndexReport, Nothing
from pointsman.host.client import HostClient
from pointsman.measure.editor import Editor
from pointsman.measure.home import borrowed
from pointsman.measure.keystrokes import Burst, Stroke
from pointsman.measure.systems import Llama, Pointsman
from pointsman.measure.typing_report import beside, figures
from pointsman.measure.typist import Asked, System, play
from pointsman.session import Edit
from pointsman.settings import Paths

Progress = Callable[[str, int, int], None]
Seconds = dict[str, float]
"""Of processor time, by what a process runs."""
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false")
_QUIT_SECONDS = 30.0
_WARM = Burst(
    parent="",
    path="warm_up.py",
    language="python",
    text="def add(left, right):\n    return left \n",
    strokes=(Stroke(edit=Edit(37, 37, "+"), cursor=38),),
)


async def replay(
    root: Path,
    chosen: Sequence[Burst],
    paths: Paths,
    folder: Path,
    *,
    weights: Path | None,
    max_tokens: int,
    pace: float,
    client: str,
    progress: Progress,
) -> dict[str, Any]:
    """Figures of each system and their ratios.

    Args:
        weights: the GGUF file that llama.cpp gets; None measures Pointsman alone.
        pace: seconds between keystrokes; 0 waits for each answer.
        client: what the server is told the editor is.
    """
    clone = folder / "clone"
    await asyncio.to_thread(_run, "clone", "-q", "--shared", "--no-checkout", str(root), str(clone))
    asked: dict[str, list[Asked]] = {}
    cpu: dict[str, Seconds] = {}
    async with _pointsman(paths, folder, clone, client) as (ours, host, pids), _llama(weights, max_tokens) as peer:
        systems: list[tuple[System, Callable[[], Seconds]]] = [(ours, lambda: _cpu(pids))]
        if peer is not None:
            systems.append((peer, lambda: _cpu([peer.pid])))
        for system, _ in systems:
            await play(system, _WARM, 0.0)
        for number, burst in enumerate(chosen):
            await _stand_at(burst.parent, clone, host, progress)
            progress("typing", number, len(chosen))
            # Who begins changes: what else the machine does then falls on both alike.
            for system, used in systems if number % 2 else systems[::-1]:
                before = used()
                asked.setdefault(system.name, []).extend(await play(system, burst, pace))
                spent = cpu.setdefault(system.name, {})
                for name, seconds in used().items():
                    spent[name] = spent.get(name, 0.0) + seconds - before.get(name, 0.0)
    report: dict[str, Any] = {
        "systems": {name: figures(own, cpu[name]) for name, own in sorted(asked.items(), reverse=True)}
    }
    if Llama.name in asked:
        report["beside"] = beside(asked[Pointsman.name], asked[Llama.name], waited=not pace)
    return report


@asynccontextmanager
async def _pointsman(
    paths: Paths, folder: Path, root: Path, client: str
) -> AsyncIterator[tuple[Pointsman, HostClient, list[int]]]:
    """A server that serves, its host, and the ids of both processes."""
    home = folder / "home"
    own = borrowed(paths, home)
    environment = {**os.environ, "POINTSMAN_HOME": str(home)}
    editor = await Editor.start((sys.executable, "-m", "pointsman", "serve"), environment, root, client)
    host = HostClient(own, start=False)
    ended: psutil.Process | None = None
    try:
        ours = Pointsman(editor)
        ours.show(root)
        await play(ours, _WARM, 0.0)
        ended = psutil.Process((await host.status(Nothing())).pid)
        pids = [editor.pid, ended.pid]
        yield ours, host, pids
    finally:
        await editor.quit()
        with contextlib.suppress(PointsmanError):
            await host.shutdown(Nothing())
        await host.close()
        if ended is not None:  # it still writes to the folders that go next
            with contextlib.suppress(psutil.Error):
                await asyncio.to_thread(ended.wait, _QUIT_SECONDS)


@asynccontextmanager
async def _llama(weights: Path | None, max_tokens: int) -> AsyncIterator[Llama | None]:
    if weights is None:
        yield None
        return
    peer = await Llama.start(weights, max_tokens)
    try:
        yield peer
    finally:
        await peer.quit()


async def _stand_at(commit: str, clone: Path, host: HostClient, progress: Progress) -> None:
    """Have the files of that commit on disk and in the index."""
    head = clone / ".git" / "HEAD"
    if head.read_text().strip() == commit:
        return
    await asyncio.to_thread(_run, "-C", str(clone), "checkout", "-q", "--force", "--detach", commit)
    async for step in host.index(IndexParams(path=str(clone))):
        if not isinstance(step, IndexReport):
            progress(f"index: {step.stage}", step.done, step.total)


def _run(*arguments: str) -> None:
    if not shutil.which("git"):
        raise PointsmanError("git is not here", remedy="install git")
    done = subprocess.run([*_GIT, *arguments], capture_output=True, check=False)
    if done.returncode:
        raise PointsmanError(f"git {arguments[0]} failed on a copy of the repository")


def _cpu(pids: Sequence[int]) -> Seconds:
    """Processor seconds that these processes and their children have used, by what they run."""
    found: set[psutil.Process] = set()
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            found |= {process, *process.children(recursive=True)}  # the host may be a child of the server, or not
    total: Seconds = {}
    for one in found:
        with contextlib.suppress(psutil.Error):
            name, times = _name(one.cmdline()), one.cpu_times()
            total[name] = total.get(name, 0.0) + times.user + times.system
    return total


def _name(command: Sequence[str]) -> str:
    """The module that Python runs, such as worker.llama; "other" for what is no module of ours."""
    module = next((after for word, after in pairwise(command) if word == "-m"), "")
    if module == "pointsman":
        return "serve"
    return module.removeprefix("pointsman.") if module.startswith("pointsman.") else "other"
