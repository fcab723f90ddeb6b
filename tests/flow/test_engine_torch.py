"""The torch engine with real models: what it answers, who goes first, and how it dies."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from pointsman.errors import EngineError, EngineUnavailable, ModelMissing, WontFit
from pointsman.models.base import EngineState, Finish, GenerateRequest, Priority, Sampling
from pointsman.worker.link import TorchEmbedder, TorchGenerator, TorchLink, embedder_spec, generator_spec
from pointsman.worker.messages import ToChild
from pointsman.worker.pipe import Pipe
from pointsman.worker.supervise import Patience
from tests.engine_checks import (
    ADD,
    EMBEDDER,
    GENERATOR,
    ask,
    gone,
    orphans_of_a_killed_parent,
)

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def link(models_dir: Path, derived_dir: Path) -> AsyncIterator[TorchLink]:
    link = TorchLink(
        generator=generator_spec(GENERATOR, models_dir / GENERATOR.name, precision="full", context=2048),
        embedder=embedder_spec(EMBEDDER, models_dir / EMBEDDER.name),
        device="cpu",
        cache_dir=derived_dir,
        patience=Patience(delays=(0.05,) * 5),
    )
    yield link
    await link.stop()


@pytest.mark.parametrize(("begin", "solid"), [(" tot", False), ("    ", True), ("", True)])
async def test_the_answer_begins_as_it_is_told(link: TorchLink, begin: str, solid: bool) -> None:
    text, _, _ = await ask(
        TorchGenerator(link), "def mean(values):\n    total = 0\n", max_tokens=12, begin=begin, solid=solid
    )
    assert text.startswith(begin) and (not solid or text[len(begin)].strip())


async def test_it_streams_with_scores_and_timings(link: TorchLink) -> None:
    text, finish, pieces = await ask(TorchGenerator(link), ADD, max_tokens=8)
    assert text.startswith(" a + b")
    assert (finish.reason, finish.model, finish.tokens) == ("length", GENERATOR.name, 8)
    assert finish.prompt_tokens == 9
    assert sum(p.tokens for p in pieces) == 8
    assert len(pieces) > 4
    assert all(p.logprob < 0 for p in pieces)
    assert finish.prefill_ms > 0 < finish.decode_ms
    status = TorchGenerator(link).status()
    assert (status.state, status.name) == (EngineState.READY, "torch")
    assert (status.memory_bytes or 0) > 100e6


async def test_a_prompt_that_grew_reuses_its_prefix_and_the_answer_stays_the_same(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    base = "def area(width, height):\n    return width"
    await ask(engine, base, max_tokens=4)
    warm, finish, _ = await ask(engine, base + " *", max_tokens=6)
    assert finish.reused_tokens >= 9
    await ask(engine, "something else", max_tokens=1)
    cold, finish, _ = await ask(engine, base + " *", max_tokens=6)
    assert finish.reused_tokens == 0
    assert warm == cold


async def test_typing_and_chat_keep_prefixes_of_their_own(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    await ask(engine, ADD, Priority.TYPING, max_tokens=1)
    await ask(engine, "Tell me a story about a fox", Priority.CHAT, max_tokens=1)
    _, finish, _ = await ask(engine, ADD, Priority.TYPING, max_tokens=1)
    assert finish.reused_tokens == finish.prompt_tokens - 1


async def test_stop_strings_and_stop_tokens(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    text, finish, _ = await ask(engine, ADD, max_tokens=20, stop=("\n",))
    assert (text, finish.reason) == (" a + b", "stop")
    chat = "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    text, finish, _ = await ask(engine, chat, max_tokens=60)
    assert finish.reason == "stop"
    assert "<|" not in text


async def test_a_seed_makes_an_answer_repeatable(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    drawn = [(await ask(engine, ADD, max_tokens=12, temperature=1.5, seed=s))[0] for s in (0, 1, 1, 2, 3)][1:]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


async def test_closing_the_stream_frees_the_engine(link: TorchLink) -> None:
    """The next request of the same priority would have to wait for all of a request that was not cancelled."""
    engine = TorchGenerator(link)
    long = GenerateRequest(prompt="Once upon", sampling=Sampling(max_tokens=1500, stop=()), priority=Priority.CHAT)
    async with aclosing(engine.generate(long)) as items:
        async for _ in items:
            break
    _, finish, _ = await ask(engine, "Once upon", Priority.CHAT, max_tokens=2)
    # Waiting for 1,500 tokens takes more than these two by far, on any machine.
    assert finish.queue_ms < 20 * (finish.decode_ms + finish.prefill_ms)


async def test_typing_goes_first_and_chat_loses_nothing(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    alone, *_ = await ask(engine, "Once upon a time", Priority.CHAT, max_tokens=40)
    order: list[str] = []
    begun = asyncio.Event()

    async def chat() -> str:
        text = ""
        request = GenerateRequest(prompt="Once upon a time", sampling=Sampling(max_tokens=40), priority=Priority.CHAT)
        async with aclosing(engine.generate(request)) as items:
            async for item in items:
                begun.set()
                text += "" if isinstance(item, Finish) else item.text
        order.append("chat")
        return text

    async def typing() -> None:
        await begun.wait()
        await ask(engine, ADD, Priority.TYPING, max_tokens=4)
        order.append("typing")

    together, _ = await asyncio.gather(chat(), typing())
    assert order == ["typing", "chat"]
    assert together == alone


async def test_embeddings_are_those_of_the_model_computed_one_by_one(link: TorchLink, models_dir: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["def add(a, b): return a + b", "", "the cat sat " * 200, "naïve 😀", *(f"text {i}" for i in range(70))]
    vectors = await TorchEmbedder(link).embed(texts, kind="document", priority=Priority.INDEX)
    tokenizer = AutoTokenizer.from_pretrained(models_dir / EMBEDDER.name, local_files_only=True)
    model = AutoModel.from_pretrained(models_dir / EMBEDDER.name, local_files_only=True).eval()
    assert len(vectors) == len(texts)
    for text, vector in list(zip(texts, vectors, strict=True))[:8]:
        inputs = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**inputs).last_hidden_state.mean(dim=1)[0]
        expected = torch.nn.functional.normalize(mean, dim=-1)
        assert torch.allclose(torch.tensor(vector), expected, atol=1e-5), text[:20]


async def test_texts_are_compared_with_a_question_token_by_token(link: TorchLink, models_dir: Path) -> None:
    """As it is defined, computed one by one beside it; and it puts what answers first."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    question = "where are old sessions removed?"
    texts = ["def purge(store): drop sessions that expired", "def add(a, b): return a + b", "the cat sat " * 200]
    scores = await TorchEmbedder(link).compare(question, texts, priority=Priority.CHAT)
    tokenizer = AutoTokenizer.from_pretrained(models_dir / EMBEDDER.name, local_files_only=True)
    model = AutoModel.from_pretrained(models_dir / EMBEDDER.name, local_files_only=True).eval()
    unit = functools.partial(torch.nn.functional.normalize, dim=-1)

    def states(text: str) -> torch.Tensor:
        inputs = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            return model(**inputs).last_hidden_state[0]

    def likeness(one: torch.Tensor, other: torch.Tensor) -> float:
        nearest = (unit(one[1:-1]) @ unit(other[1:-1]).T).amax(1).mean()
        return float(0.75 * nearest + 0.25 * unit(one.mean(0)) @ unit(other.mean(0)))

    assert scores == pytest.approx([likeness(states(question), states(text)) for text in texts], abs=1e-4)
    assert scores is not None and max(scores) == scores[0]


async def test_a_model_of_other_pooling_compares_nothing(models_dir: Path, derived_dir: Path) -> None:
    spec = embedder_spec(replace(EMBEDDER, pooling="cls"), models_dir / EMBEDDER.name)
    engine = TorchEmbedder(TorchLink(generator=None, embedder=spec, device="cpu", cache_dir=derived_dir))
    assert await engine.compare("a", ["b"], priority=Priority.CHAT) is None
    assert engine.status().pid is None


async def test_a_query_takes_its_prefix_and_documents_do_not(models_dir: Path, derived_dir: Path) -> None:
    card = replace(EMBEDDER, query_prefix="query: ")
    link = TorchLink(
        generator=None,
        embedder=embedder_spec(card, models_dir / EMBEDDER.name),
        device="cpu",
        cache_dir=derived_dir,
    )
    engine = TorchEmbedder(link)
    try:
        (query,) = await engine.embed(["cats"], kind="query", priority=Priority.TYPING)
        (plain, spelled) = await engine.embed(["cats", "query: cats"], kind="document", priority=Priority.TYPING)
    finally:
        await engine.stop()
    assert query == pytest.approx(spelled, abs=1e-5)
    assert query != pytest.approx(plain, abs=1e-3)


async def test_an_index_in_progress_lets_typing_through(link: TorchLink, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    await TorchGenerator(link).start()
    sent, send = asyncio.Event(), Pipe.send

    async def noted(pipe: Pipe, message: ToChild) -> None:
        await send(pipe, message)
        sent.set()

    monkeypatch.setattr(Pipe, "send", noted)

    async def index() -> None:
        texts = [f"def f{i}(x): return x + {i}  # " + "words " * 150 for i in range(60)]
        await TorchEmbedder(link).embed(texts, kind="document", priority=Priority.INDEX)
        order.append("index")

    async def typing() -> None:
        await sent.wait()
        await ask(TorchGenerator(link), ADD, max_tokens=2)
        order.append("typing")

    await asyncio.gather(index(), typing())
    assert order == ["typing", "index"]


async def test_kill_minus_nine_tells_who_waits_and_the_next_request_works(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    await engine.start()
    pid = engine.status().pid
    assert pid is not None
    request = GenerateRequest(prompt=ADD, sampling=Sampling(max_tokens=1500), priority=Priority.CHAT)
    with pytest.raises(EngineError, match="died"):
        async with aclosing(engine.generate(request)) as items:
            async for _ in items:
                os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    text, *_ = await ask(engine, ADD, max_tokens=4)
    assert text.startswith(" a + b")
    assert engine.status().pid != pid


async def test_kill_minus_nine_while_loading_is_said_and_the_next_request_works(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    await engine.stop()
    starting = asyncio.ensure_future(engine.start())
    async with asyncio.timeout(30):
        while (pid := engine.status().pid) is None:  # noqa: ASYNC110 - a status has no event
            await asyncio.sleep(0.01)
    assert engine.status().state is EngineState.LOADING
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="died"):
        await starting
    text, *_ = await ask(engine, ADD, max_tokens=4)
    assert text.startswith(" a + b")


async def test_stop_fails_what_is_under_way_and_leaves_nothing(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    await engine.start()
    pid = engine.status().pid
    assert pid is not None
    request = GenerateRequest(prompt=ADD, sampling=Sampling(max_tokens=1500), priority=Priority.CHAT)
    with pytest.raises(EngineUnavailable, match="stopped"):
        async with aclosing(engine.generate(request)) as items:
            async for _ in items:
                await engine.stop()
    assert gone(pid)
    assert engine.status().state is EngineState.STOPPED


async def test_what_does_not_fit_or_is_not_there_is_said_before_a_process_starts(
    models_dir: Path, derived_dir: Path, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise WontFit("needs 9 GB", remedy="smollm2-135m fits")

    spec = generator_spec(GENERATOR, models_dir / GENERATOR.name, precision="nf4", context=2048)
    small = TorchLink(generator=spec, embedder=None, device="cpu", cache_dir=derived_dir, check_memory=refuse)
    with pytest.raises(WontFit, match="9 GB"):
        await TorchGenerator(small).start()
    absent = generator_spec(GENERATOR, tmp_path / "absent", precision="nf4", context=2048)
    nowhere = TorchLink(generator=absent, embedder=None, device="cpu", cache_dir=derived_dir)
    with pytest.raises(ModelMissing, match=f"pull {GENERATOR.name}"):
        await TorchGenerator(nowhere).start()
    for link in (small, nowhere):
        status = TorchGenerator(link).status()
        assert (status.state, status.pid) == (EngineState.FAILED, None)


async def test_no_prompt_reaches_a_log(link: TorchLink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    await ask(TorchGenerator(link), "the secret CANARY is", max_tokens=3)
    assert "CANARY" not in caplog.text


PARENT = """
import asyncio, sys
from pathlib import Path
from pointsman.worker.link import TorchGenerator, TorchLink, generator_spec
from tests.engine_checks import GENERATOR

async def main():
    spec = generator_spec(GENERATOR, Path({folder!r}), precision="full", context=512)
    engine = TorchGenerator(TorchLink(generator=spec, embedder=None, device="cpu", cache_dir=Path({cache!r})))
    starting = asyncio.ensure_future(engine.start())
    if sys.argv[1] == "ready":
        await starting
    while engine.status().pid is None:
        await asyncio.sleep(0.01)
    print(engine.status().pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["loading", "ready"])
async def test_a_killed_parent_leaves_no_orphan(models_dir: Path, derived_dir: Path, when: str) -> None:
    program = PARENT.format(folder=str(models_dir / GENERATOR.name), cache=str(derived_dir))
    assert await asyncio.to_thread(orphans_of_a_killed_parent, program, when=when) == []
