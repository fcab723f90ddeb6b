"""The llama.cpp engine with the real model, and the adapter's OpenAI dialect against llama.cpp's own `/v1`."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from pointsman.errors import EngineError, EngineUnavailable, ModelMissing, WontFit
from pointsman.gateway.dialects import Totals
from pointsman.gateway.own import OwnEndpoint
from pointsman.models.base import EngineState, GenerateRequest, Piece, Priority, Sampling
from pointsman.worker.llama_link import LlamaGenerator
from pointsman.worker.supervise import Patience
from tests.engine_checks import ADD, GENERATOR, ask, gone, orphans_of_a_killed_parent

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

LONG = "def mean(values):\n    total = 0\n" + "    total += 1\n" * 120 + "    return"
"""About 600 tokens: several slices."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LlamaGenerator]:
    engine = LlamaGenerator(
        card=GENERATOR,
        folder=models_dir / GENERATOR.name,
        run_dir=tmp_path_factory.mktemp("home") / "run",
        context=1024,
        patience=Patience(delays=(0.05,) * 5),
    )
    yield engine
    await engine.stop()


def endpoint_of(engine: LlamaGenerator) -> OwnEndpoint:
    endpoint = engine._endpoint
    assert endpoint is not None
    return endpoint


@pytest.mark.parametrize(("begin", "solid"), [(" tot", False), ("    ", True), (' "é\\]', False), ("", True)])
async def test_the_answer_begins_as_it_is_told(engine: LlamaGenerator, begin: str, solid: bool) -> None:
    text, _, pieces = await ask(engine, "def mean(values):\n    total = 0\n", max_tokens=12, begin=begin, solid=solid)
    assert text.startswith(begin) and all(p.logprob < 0 for p in pieces if p.tokens)
    assert not solid or text[len(begin)].strip()


async def test_it_streams_with_scores_and_timings(engine: LlamaGenerator) -> None:
    text, finish, pieces = await ask(engine, ADD, max_tokens=8)
    assert text.startswith(" a + b")
    assert (finish.reason, finish.model, finish.tokens) == ("length", GENERATOR.name, 8)
    assert finish.prompt_tokens == 9
    assert sum(p.tokens for p in pieces) == 8
    assert all(p.logprob < 0 for p in pieces)
    assert finish.prefill_ms > 0 < finish.decode_ms
    status = engine.status()
    assert (status.state, status.name) == (EngineState.READY, "llama.cpp")
    assert (status.memory_bytes or 0) > 50e6


async def test_stop_strings_and_stop_tokens(engine: LlamaGenerator) -> None:
    text, finish, _ = await ask(engine, ADD, max_tokens=20, stop=("\n",))
    assert (text, finish.reason) == (" a + b", "stop")
    chat = "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    text, finish, _ = await ask(engine, chat, max_tokens=60)
    assert finish.reason == "stop"
    assert "<|" not in text


async def test_a_seed_makes_an_answer_repeatable(engine: LlamaGenerator) -> None:
    # The first fills the prefix cache: llama.cpp's sums depend a little on how many tokens it evaluates at once.
    seeds = (0, 1, 1, 2, 3)
    drawn = [(await ask(engine, ADD, max_tokens=12, temperature=1.5, seed=s))[0] for s in seeds][1:]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


async def test_characters_that_span_tokens_come_out_whole(engine: LlamaGenerator) -> None:
    text, *_ = await ask(engine, "Repeat the emoji: 😋😋😋😋😋😋😋😋😋😋", max_tokens=8)
    assert "😋" in text
    assert "\N{REPLACEMENT CHARACTER}" not in text


async def test_a_prompt_in_slices_gives_what_it_gives_in_one(engine: LlamaGenerator) -> None:
    sliced, finish, _ = await ask(engine, LONG, max_tokens=6)
    assert finish.prompt_tokens > 300
    assert finish.reused_tokens < 100
    endpoint = endpoint_of(engine)
    whole = "".join([p.text async for p in endpoint.generate(request(LONG, 6)) if isinstance(p, Piece)])
    assert sliced == whole


async def test_a_prompt_that_grew_reuses_its_prefix(engine: LlamaGenerator) -> None:
    _, first, _ = await ask(engine, LONG, max_tokens=6)
    _, second, _ = await ask(engine, LONG + " total", max_tokens=6)
    assert second.reused_tokens >= first.prompt_tokens - 1


async def test_chat_does_not_push_out_what_typing_has_cached(engine: LlamaGenerator) -> None:
    _, first, _ = await ask(engine, LONG, Priority.TYPING, max_tokens=1)
    await ask(engine, "Tell me a story about a fox. " * 40, Priority.CHAT, max_tokens=1)
    _, again, _ = await ask(engine, LONG, Priority.TYPING, max_tokens=1)
    assert again.reused_tokens >= first.prompt_tokens - 1


async def test_a_prompt_longer_than_the_context_keeps_its_end(engine: LlamaGenerator) -> None:
    text, finish, _ = await ask(engine, "# a note\n" * 600 + ADD, max_tokens=8)
    assert text.startswith(" a + b")
    assert finish.prompt_tokens <= 1024 - 8


async def test_the_last_marker_that_a_cut_would_take_stays(engine: LlamaGenerator) -> None:
    await engine.start()
    endpoint = endpoint_of(engine)
    opening = await endpoint.tokenise("<|im_start|>", Sampling())
    prompt = "# other files\n" * 100 + "<|im_start|>user\n" + "total = 1\n" * 500
    kept = await endpoint.tokenise(prompt, Sampling(max_tokens=16))
    assert len(opening) == 1 and len(kept) <= 1008 and kept.count(opening[0]) == 1


async def test_closing_the_stream_frees_the_slot(engine: LlamaGenerator) -> None:
    """A request of the same priority waits in llama.cpp for one that goes on, and 1,500 tokens take minutes."""
    async with aclosing(engine.generate(request("Once upon", 1500, Priority.CHAT))) as items:
        async for _ in items:
            break
    _, finish, _ = await ask(engine, "Once upon", Priority.CHAT, max_tokens=2)
    assert finish.queue_ms < 20 * (finish.decode_ms + finish.prefill_ms)


async def test_typing_overtakes_a_long_chat_prompt(engine: LlamaGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    story = " ".join(f"The fox number {i} met a hare." for i in range(80))
    await engine.start()
    endpoint, first_slice = endpoint_of(engine), asyncio.Event()
    warm = endpoint.warm

    async def noted(tokens: Sequence[int], slot: int) -> Totals:
        first_slice.set()
        return await warm(tokens, slot)

    monkeypatch.setattr(endpoint, "warm", noted)

    async def chat() -> None:
        await ask(engine, story, Priority.CHAT, max_tokens=4)
        order.append("chat")

    async def typing() -> None:
        await first_slice.wait()
        await ask(engine, ADD, Priority.TYPING, max_tokens=4)
        order.append("typing")

    await asyncio.gather(chat(), typing())
    assert order == ["typing", "chat"]


async def test_only_the_parent_can_use_the_server(engine: LlamaGenerator) -> None:
    await engine.start()
    endpoint = endpoint_of(engine)
    socket = endpoint._socket
    assert socket is not None
    assert stat.S_IMODE(socket.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    pid = engine.status().pid
    assert pid is not None
    process = psutil.Process(pid)
    assert process.net_connections("inet") == []
    assert endpoint._key not in " ".join([*process.cmdline(), *process.environ().values()])
    stranger = OwnEndpoint(
        name="x", base_url="http://localhost", kind="llama.cpp", model="m", key="wrong", socket=socket
    )
    with pytest.raises(EngineUnavailable, match="key"):
        await ask(stranger, ADD)
    await stranger.stop()


async def test_the_openai_dialect_against_a_real_server(engine: LlamaGenerator) -> None:
    await engine.start()
    served = endpoint_of(engine)
    endpoint = OwnEndpoint(
        name="own",
        base_url="http://localhost/v1",
        kind="openai",
        model=GENERATOR.name,
        key=served._key,
        socket=served._socket,
    )
    await endpoint.start()
    text, finish, pieces = await ask(endpoint, ADD, max_tokens=20, stop=("\n",))
    assert (text, finish.reason, finish.prompt_tokens) == (" a + b", "stop", 9)
    assert all(p.logprob < 0 for p in pieces)
    text, finish, pieces = await ask(endpoint, ADD, max_tokens=5)
    assert (finish.reason, finish.tokens, sum(p.tokens for p in pieces)) == ("length", 5, 5)
    drawn = [(await ask(endpoint, ADD, max_tokens=8, temperature=1.5, seed=5))[0] for _ in range(2)]
    assert drawn[0] == drawn[1]
    await endpoint.stop()


async def test_kill_minus_nine_tells_who_waits_and_the_next_request_works(engine: LlamaGenerator) -> None:
    await engine.start()
    pid = engine.status().pid
    assert pid is not None
    with pytest.raises(EngineError, match=r"llama\.cpp"):
        async with aclosing(engine.generate(request(ADD, 1500, Priority.CHAT))) as items:
            async for _ in items:
                os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    text, *_ = await ask(engine, ADD, max_tokens=4)
    assert text.startswith(" a + b")
    assert engine.status().pid != pid


async def test_a_server_that_hangs_is_replaced(engine: LlamaGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    await engine.stop()
    with monkeypatch.context() as patched:
        patched.setattr("pointsman.gateway.own._READ_SECONDS", 3.0)
        await engine.start()
    pid = engine.status().pid
    assert pid is not None
    with pytest.raises(EngineUnavailable, match="does not answer"):
        async with aclosing(engine.generate(request(ADD, 1500, Priority.CHAT))) as items:
            async for _ in items:
                os.kill(pid, signal.SIGSTOP)
    assert gone(pid)
    text, *_ = await ask(engine, ADD, max_tokens=4)
    assert text.startswith(" a + b")
    assert engine.status().pid != pid


async def test_stop_leaves_no_process_and_no_socket(engine: LlamaGenerator) -> None:
    await engine.start()
    pid, socket = engine.status().pid, endpoint_of(engine)._socket
    assert pid is not None
    assert socket is not None
    with pytest.raises(EngineError):
        async with aclosing(engine.generate(request(ADD, 1500, Priority.CHAT))) as items:
            async for _ in items:
                await engine.stop()
    assert gone(pid)
    assert not socket.parent.exists()
    assert engine.status().state is EngineState.STOPPED


async def test_a_damaged_file_is_told_and_not_tried_for_ever(tmp_path: Path) -> None:
    (tmp_path / GENERATOR.gguf).write_bytes(b"GGUF" + b"\0" * 1000)
    engine = LlamaGenerator(card=GENERATOR, folder=tmp_path, run_dir=tmp_path, patience=Patience(delays=(0.01,)))
    with pytest.raises(EngineError, match="could not load"):
        await engine.start()
    async with asyncio.timeout(20):
        while engine.status().state is not EngineState.FAILED:  # noqa: ASYNC110 - a status has no event
            await asyncio.sleep(0.01)
    assert "gave up" in engine.status().message
    await engine.stop()
    assert names(tmp_path) == [GENERATOR.gguf]


async def test_what_does_not_fit_or_is_not_there_is_said_before_a_process_starts(
    models_dir: Path, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise WontFit("needs 9 GB")

    big = LlamaGenerator(card=GENERATOR, folder=models_dir / GENERATOR.name, run_dir=tmp_path, check_memory=refuse)
    with pytest.raises(WontFit):
        await big.start()
    absent = LlamaGenerator(card=GENERATOR, folder=tmp_path, run_dir=tmp_path)
    with pytest.raises(ModelMissing, match=f"pull {GENERATOR.name}"):
        await absent.start()
    assert names(tmp_path) == []


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def request(prompt: str, max_tokens: int, priority: Priority = Priority.TYPING) -> GenerateRequest:
    return GenerateRequest(prompt=prompt, sampling=Sampling(max_tokens=max_tokens), priority=priority)


PARENT = """
import asyncio, sys
from pathlib import Path
from pointsman.worker.llama_link import LlamaGenerator
from tests.engine_checks import GENERATOR

async def main():
    engine = LlamaGenerator(card=GENERATOR, folder=Path({folder!r}), run_dir=Path({run!r}))
    starting = asyncio.ensure_future(engine.start())
    if sys.argv[1] == "ready":
        await starting
    while engine.status().pid is None:
        await asyncio.sleep(0.001)
    print(engine.status().pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["loading", "ready"])
async def test_a_killed_parent_leaves_no_orphan_and_the_next_one_tidies_up(
    models_dir: Path, tmp_path: Path, when: str
) -> None:
    program = PARENT.format(folder=str(models_dir / GENERATOR.name), run=str(tmp_path))
    assert await asyncio.to_thread(orphans_of_a_killed_parent, program, when=when) == []
    engine = LlamaGenerator(card=GENERATOR, folder=models_dir / GENERATOR.name, run_dir=tmp_path, context=512)
    await engine.start()
    folders = names(tmp_path)
    await engine.stop()
    assert len(folders) == 1
    assert names(tmp_path) == []
