"""The supervisor and the pipe on small real processes: start, crash, back-off, giving up, silence, stopping."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator

import psutil
import pytest

from pointsman.errors import EngineError, EngineUnavailable, ModelMissing, OutOfMemory, PointsmanError, WontFit
from pointsman.models.base import EngineState
from pointsman.worker import messages as m
from pointsman.worker.pipe import Pipe
from pointsman.worker.supervise import Patience, Supervisor, spawn
from tests.engine_checks import gone

QUICK = Patience(delays=(0.01, 0.01), window=60, cool_down=60, grace=1.0)

READY = m.encode(m.Ready(device="cpu", device_bytes=0)).decode()
WAIT = "import sys\nfor line in sys.stdin: pass\n"
GOOD = f"import sys\nsys.stdin.readline(); sys.stdout.write({READY!r}); sys.stdout.flush()\n" + WAIT


def failing(code: str) -> str:
    line = m.encode(m.Failed(id=0, code=code, message="as the child said")).decode()
    return f"import sys\nsys.stdin.readline(); sys.stdout.write({line!r}); sys.stdout.flush(); sys.exit(3)\n"


class Child:
    """A kind of child that runs the given programs one after the other, the last one for ever after."""

    name = "test"

    def __init__(self, *programs: str, silence: float = 60.0, loading: float = 60.0) -> None:
        self.programs = list(programs)
        self.started = 0
        self.losses: list[EngineError] = []
        self.refusal: PointsmanError | None = None
        self.pipe: Pipe | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.busy = False
        self._silence = silence
        self._loading = loading
        self.checking, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()

    def check(self) -> None:
        self.checking.set()
        assert self.may_go_on.wait(20)
        if self.refusal:
            raise self.refusal

    async def spawn(self) -> asyncio.subprocess.Process:
        program = self.programs[min(self.started, len(self.programs) - 1)]
        self.started += 1
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=pipe, stdout=pipe)
        return self.process

    async def load(self, process: asyncio.subprocess.Process) -> None:
        self.pipe = Pipe(process, lambda message: None, lambda: self.busy, self._silence, self._loading)
        await self.pipe.greet(m.Load(device="cpu", cache_dir="/"))

    async def last_words(self) -> EngineError | None:
        return await self.pipe.last_words() if self.pipe else None

    async def lost(self, error: EngineError) -> None:
        self.losses.append(error)
        if self.pipe:
            self.pipe.close()


@pytest.fixture
async def supervisors() -> AsyncIterator[list[Supervisor]]:
    made: list[Supervisor] = []
    yield made
    for supervisor in made:
        await supervisor.stop()


async def until(supervisor: Supervisor, state: EngineState) -> None:
    async with asyncio.timeout(20):
        while supervisor.state is not state:  # noqa: ASYNC110 - the supervisor has no event for a test to wait on
            await asyncio.sleep(0.005)


async def test_it_starts_once_however_many_ask(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    assert supervisor.state is EngineState.STOPPED
    await asyncio.gather(*(supervisor.ensure() for _ in range(5)))
    assert child.started == 1
    assert supervisor.state is EngineState.READY
    assert supervisor.pid is not None
    assert (supervisor.memory_bytes or 0) > 1 << 20


async def test_stop_leaves_no_process_and_the_next_request_starts_again(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    await supervisor.ensure()
    pid = supervisor.pid
    assert pid is not None
    await supervisor.stop()
    assert not psutil.pid_exists(pid)
    assert supervisor.state is EngineState.STOPPED
    assert isinstance(child.losses[-1], EngineUnavailable)
    await supervisor.ensure()
    assert child.started == 2


async def test_a_child_that_ignores_everything_is_killed(supervisors: list[Supervisor]) -> None:
    stubborn = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"sys.stdin.readline(); sys.stdout.write({READY!r}); sys.stdout.flush()\nwhile True: time.sleep(1)\n"
    )
    supervisor = Supervisor(Child(stubborn), patience=Patience(grace=0.1))
    await supervisor.ensure()
    pid = supervisor.pid
    assert pid is not None
    await supervisor.stop()
    assert not psutil.pid_exists(pid)


async def test_after_a_crash_requests_under_way_are_told_and_the_next_finds_it_running(
    supervisors: list[Supervisor],
) -> None:
    child = Child(GOOD)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    await supervisor.ensure()
    assert child.process is not None
    os.kill(child.process.pid, signal.SIGKILL)
    await until(supervisor, EngineState.RESTARTING)
    await supervisor.ensure()
    assert supervisor.state is EngineState.READY
    assert child.started == 2
    assert "signal 9" in child.losses[0].message


async def test_requests_in_the_moments_after_a_death_wait_for_the_restart(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    for _ in range(5):
        await supervisor.ensure()
        assert child.process is not None
        dead = child.process.pid
        os.kill(dead, signal.SIGKILL)
        assert gone(dead)  # blocks, so that the loop learns of it only while the next requests ask
        while supervisor.pid in (dead, None):
            await supervisor.ensure()
            await asyncio.sleep(0)
        supervisor._deaths.clear()


async def test_it_gives_up_after_too_many_deaths_says_why_and_tries_again_after_the_cool_down(
    supervisors: list[Supervisor],
) -> None:
    child = Child("import sys; sys.exit(7)")
    supervisor = Supervisor(child, patience=Patience(delays=(0.01, 0.01), cool_down=0.2))
    supervisors.append(supervisor)
    with pytest.raises(EngineError):
        await supervisor.ensure()
    await until(supervisor, EngineState.FAILED)
    assert child.started == 3
    assert "gave up" in supervisor.message
    with pytest.raises(EngineUnavailable, match="gave up"):
        await supervisor.ensure()
    assert child.started == 3
    await asyncio.sleep(0.25)
    child.programs = [GOOD]
    await supervisor.ensure()
    assert supervisor.state is EngineState.READY
    assert supervisor.message == ""


async def test_what_will_not_fit_is_refused_before_a_process_starts(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD)
    child.refusal = WontFit("needs 9 GB, 2 are free", remedy="smollm2-135m fits")
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    with pytest.raises(WontFit, match="9 GB"):
        await supervisor.ensure()
    assert (child.started, supervisor.state) == (0, EngineState.FAILED)
    assert "smollm2-135m" in supervisor.message
    child.refusal = None
    await supervisor.ensure()
    assert supervisor.state is EngineState.READY


async def test_a_slow_check_holds_up_nobody_and_one_is_enough_for_all_who_ask(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD)
    child.may_go_on.clear()
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    asking = asyncio.gather(*(supervisor.ensure() for _ in range(3)))
    assert await asyncio.to_thread(child.checking.wait, 20)  # reached only by a loop that runs on meanwhile
    assert (supervisor.state, child.started) == (EngineState.LOADING, 0)
    child.may_go_on.set()
    await asking
    assert (supervisor.state, child.started) == (EngineState.READY, 1)


async def test_a_stop_during_the_check_starts_nothing(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD)
    child.may_go_on.clear()
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    asking = asyncio.ensure_future(supervisor.ensure())
    assert await asyncio.to_thread(child.checking.wait, 20)
    await supervisor.stop()
    child.may_go_on.set()
    with pytest.raises(EngineUnavailable, match="stopped"):
        await asking
    assert (supervisor.state, child.started) == (EngineState.STOPPED, 0)
    await supervisor.ensure()
    assert (supervisor.state, child.started) == (EngineState.READY, 1)


async def test_what_would_fit_is_found_out_beside_the_loop(supervisors: list[Supervisor]) -> None:
    threads: list[threading.Thread] = []

    def smaller() -> str:
        threads.append(threading.current_thread())
        return "tiny"

    supervisor = Supervisor(Child(failing("oom")), smaller=smaller, patience=QUICK)
    supervisors.append(supervisor)
    with pytest.raises(OutOfMemory):
        await supervisor.ensure()
    await until(supervisor, EngineState.FAILED)
    assert threads and threading.main_thread() not in threads


async def test_a_model_that_is_missing_is_not_tried_again_by_itself(supervisors: list[Supervisor]) -> None:
    child = Child(failing("model_missing"))
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    with pytest.raises(ModelMissing, match="as the child said"):
        await supervisor.ensure()
    await until(supervisor, EngineState.FAILED)
    assert child.started == 1


async def test_out_of_memory_restarts_once_and_then_names_what_would_fit(supervisors: list[Supervisor]) -> None:
    child = Child(failing("oom"))
    supervisor = Supervisor(child, smaller=lambda: "these would fit: tiny", patience=QUICK)
    supervisors.append(supervisor)
    with pytest.raises(OutOfMemory):
        await supervisor.ensure()
    await until(supervisor, EngineState.FAILED)
    assert child.started == 2
    assert "these would fit: tiny" in supervisor.message


async def test_a_child_that_talks_nonsense_is_replaced(supervisors: list[Supervisor]) -> None:
    child = Child("print('hello CANARY', flush=True); import time; time.sleep(60)", GOOD)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    with pytest.raises(EngineError) as caught:
        await supervisor.ensure()
    assert "CANARY" not in str(caught.value)
    await supervisor.ensure()
    assert child.started == 2


async def test_a_busy_child_that_falls_silent_is_asked_and_then_replaced(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD, silence=0.05)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    await supervisor.ensure()
    child.busy = True
    await until(supervisor, EngineState.RESTARTING)
    child.busy = False
    await supervisor.ensure()
    assert "stopped answering" in child.losses[0].message


async def test_a_child_that_hangs_while_loading_is_replaced(supervisors: list[Supervisor]) -> None:
    child = Child(WAIT, GOOD, loading=0.05)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    with pytest.raises(EngineError, match="did not finish loading"):
        await supervisor.ensure()
    child._loading = 60.0
    await supervisor.ensure()
    assert (supervisor.state, child.started) == (EngineState.READY, 2)
    assert "did not finish loading" in child.losses[0].message


async def test_an_idle_child_may_be_silent(supervisors: list[Supervisor]) -> None:
    child = Child(GOOD, silence=0.02)
    supervisor = Supervisor(child, patience=QUICK)
    supervisors.append(supervisor)
    await supervisor.ensure()
    await asyncio.sleep(0.3)
    assert (supervisor.state, child.started) == (EngineState.READY, 1)


async def test_a_child_sees_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("HF_TOKEN", "hf-canary")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    process = await spawn("pointsman.worker")
    try:
        # It is empty while the kernel is still putting the program in place.
        while not (environment := psutil.Process(process.pid).environ()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 20) in (0, -signal.SIGKILL)
    assert not {"OPENAI_API_KEY", "HF_TOKEN", "HTTPS_PROXY"} & set(environment)
    assert environment["HF_HUB_OFFLINE"] == "1"
