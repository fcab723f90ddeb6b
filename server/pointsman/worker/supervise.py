"""Keeps one child process alive: starts it on demand, restarts it with back-off, gives up in words, stops it for sure.

    STOPPED ──ensure──▶ LOADING ──ready──▶ READY ──died──▶ RESTARTING ──back-off──▶ LOADING
                           └── will not fit, or died too often ──▶ FAILED ──cool-down, then ensure──▶ LOADING

Knows a child only as `Kind`: how to spawn it, how to get it ready and whom to tell when it is lost.
All methods belong to one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import psutil

from pointsman.errors import EngineError, EngineUnavailable, ModelMissing, OutOfMemory, PointsmanError, WontFit
from pointsman.models.base import EngineState
from pointsman.worker.messages import MAX_LINE
from pointsman_indexer.children import environment

_PASSED_ON = (
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS", "BNB_CUDA_VERSION"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "CUDA_PATH", "NVIDIA_VISIBLE_DEVICES"),
)
"""Variables that a child sees beside the usual ones: threads and devices."""
_AGAIN = "it starts again by itself"


class Kind(Protocol):
    """One kind of child."""

    name: str
    """What a message calls it."""

    def check(self) -> None:
        """Raise `WontFit` or `ModelMissing` before a process is started in vain. Called in a thread."""
        ...

    async def spawn(self) -> asyncio.subprocess.Process: ...

    async def load(self, process: asyncio.subprocess.Process) -> None:
        """Return once it can answer. Raises `EngineError` when it cannot or dies."""
        ...

    async def lost(self, error: EngineError) -> None:
        """The process is gone: fail what was under way with `error`."""
        ...

    async def last_words(self) -> EngineError | None:
        """Why the process ended, when it said so before; None when it was killed or crashed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds. After `len(delays)` deaths within `window` the next one is the last, until `cool_down` is over."""

    delays: tuple[float, ...] = (0.5, 1.0, 2.0)
    window: float = 60.0
    cool_down: float = 60.0
    memory_window: float = 600.0
    """A second lack of memory within this is final at once: another start would end the same way."""
    grace: float = 2.0
    """For a child to leave at end of file before it is terminated, and then again before it is killed."""


class Supervisor:
    """Args:
    smaller: what to say about models that would fit, when memory ran out for good.
    """

    def __init__(
        self, kind: Kind, *, smaller: Callable[[], str] = lambda: "", patience: Patience | None = None
    ) -> None:
        self._kind = kind
        self._smaller = smaller
        self._patience = patience or Patience()
        self.state = EngineState.STOPPED
        self.message = ""
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._deaths: list[float] = []
        self._shortages: list[float] = []
        self._closed_until = 0.0
        self._refusal: PointsmanError | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def memory_bytes(self) -> int | None:
        """Resident size of the process, without memory on an accelerator."""
        if self.pid is None:
            return None
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return None

    async def ensure(self) -> None:
        """Return once the process is ready; starts it, or waits for a start or a back-off that is under way.

        Raises what the start failed with, or `EngineUnavailable` while it has given up.
        """
        if self._life is not None and self._life.cancelling():
            await asyncio.wait([self._life])  # being stopped: two processes at once would lose each other's requests
        if self._life is None or self._life.done():
            if self.state is EngineState.FAILED and time.monotonic() < self._closed_until and self._refusal:
                raise EngineUnavailable(self._refusal.message, remedy=self._refusal.remedy)
            self._ready = self._promise()
            self.state, self.message = EngineState.LOADING, ""
            self._life = asyncio.create_task(self._live(), name=f"{self._kind.name} supervisor")
        while True:
            assert self._ready is not None
            await asyncio.shield(self._ready)
            if self._process is not None and self._process.returncode is None:
                return
            if self._life is None or self._life.done():
                raise EngineUnavailable(self.message or f"the {self._kind.name} engine stopped")
            # It died just now, which the supervisor's own task learns in a moment.
            await asyncio.sleep(0.01)

    async def ended(self, within: float) -> bool:
        """Whether the process is gone, or goes within so many seconds."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await process.wait()
        return process is None or process.returncode is not None

    async def stop(self) -> None:
        """End the process for good; a later `ensure` starts it again. Requests under way fail."""
        life = self._life
        if life is not None:
            life.cancel()
            await asyncio.wait([life])
        if self._life is not life:
            return  # started again meanwhile
        self.state, self.message = EngineState.STOPPED, ""
        self._deaths.clear()

    async def _live(self) -> None:
        stopped = EngineUnavailable(f"the {self._kind.name} engine was stopped")
        try:
            while await self._may_start() and (delay := await self._once()) is not None:
                await asyncio.sleep(delay)
                self.state = EngineState.LOADING
        finally:
            await self._end_process()
            await self._kind.lost(stopped)
            self._settle(stopped)

    async def _may_start(self) -> bool:
        try:
            # In a thread: asking nvidia-smi takes seconds, in which the host must serve others.
            await asyncio.to_thread(self._kind.check)
        except PointsmanError as error:
            self._give_up(error, cool_down=0.0)
            return False
        except Exception as error:  # of psutil or a program that is asked: whoever waits must hear of it
            told = EngineError(f"what the {self._kind.name} engine needs could not be checked: {type(error).__name__}")
            self._give_up(told, cool_down=0.0)
            return False
        return True

    async def _once(self) -> float | None:
        """One life of the process; the back-off before the next, or None to give up."""
        error: EngineError
        try:
            self._process = await self._kind.spawn()
            await self._kind.load(self._process)
            self.state, self.message = EngineState.READY, ""
            self._settle(None)
            code = await self._process.wait()
            # From here on a new request waits for the restart instead of finding a dead process.
            self._restarting()
            died = EngineError(f"the {self._kind.name} engine died ({_ending(code)})", remedy=_AGAIN)
            error = await self._kind.last_words() or died
        except (EngineError, ModelMissing) as failure:
            await self._end_process()
            if not isinstance(failure, EngineError) or isinstance(failure, WontFit):
                self._give_up(failure, cool_down=0.0)
                return None
            error = await self._kind.last_words() or failure
        except OSError as failure:
            error = EngineError(f"the {self._kind.name} engine could not be started: {failure.strerror}")
        self.message = error.message
        await self._kind.lost(error)
        delay = await self._after_death(error)
        if delay is not None and self.state is EngineState.LOADING:
            # Who waited for this start is told; who comes now waits for the next.
            self._settle(error)
            self._restarting()
        return delay

    def _restarting(self) -> None:
        self.state = EngineState.RESTARTING
        self._ready = self._promise()

    async def _after_death(self, error: EngineError) -> float | None:
        now, patience = time.monotonic(), self._patience
        if isinstance(error, OutOfMemory):
            self._shortages = [at for at in self._shortages if now - at < patience.memory_window] + [now]
            if len(self._shortages) > 1:
                remedy = await asyncio.to_thread(self._smaller)
                self._give_up(WontFit(error.message, remedy=remedy), cool_down=patience.cool_down)
                return None
        self._deaths = [at for at in self._deaths if now - at < patience.window] + [now]
        if len(self._deaths) > len(patience.delays):
            self._give_up(
                EngineError(f"{error.message}; gave up after {len(self._deaths)} times", remedy=error.remedy),
                cool_down=patience.cool_down,
            )
            return None
        return patience.delays[len(self._deaths) - 1]

    def _give_up(self, error: PointsmanError, *, cool_down: float) -> None:
        self.state, self.message, self._refusal = EngineState.FAILED, str(error), error
        self._closed_until = time.monotonic() + cool_down
        self._deaths.clear()
        self._settle(error)

    def _promise(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting; an exception that was never looked at would be logged.
        future.add_done_callback(lambda f: f.cancelled() or f.exception())
        return future

    def _settle(self, error: PointsmanError | None) -> None:
        if self._ready is None or self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)

    async def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for end in (None, process.terminate, process.kill):
            if process.returncode is not None:
                break
            if end is not None:
                with contextlib.suppress(ProcessLookupError):
                    end()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience.grace):
                    await process.wait()
        self._process = None


async def spawn(module: str) -> asyncio.subprocess.Process:
    """Start `python -m module PARENT_PID` with pipes, in a session of its own, so that the terminal's Ctrl-C goes
    to the parent alone, which then stops it in order."""
    seen = environment(_PASSED_ON)
    # Threads that spin at a barrier while a compiler has their partner's core slow a token down five times and more;
    # giving up soon costs little on an idle machine.
    seen.setdefault("GOMP_SPINCOUNT", "1000")
    seen |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        module,
        str(os.getpid()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=seen,
        limit=MAX_LINE,
        start_new_session=True,
    )


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"
