"""The torch engine on CUDA: the CPU's checks again on the device, and what 4 bits cost or save there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pointsman.models.base import GenerateRequest, Priority, Sampling
from pointsman.worker.link import TorchEmbedder, TorchGenerator, TorchLink, embedder_spec, generator_spec
from pointsman.worker.messages import GeneratorSpec
from tests.engine_checks import (
    ADD,
    EMBEDDER,
    GENERATOR,
    PROMPTS,
    ask,
    gone,
    own_tokens,
    plain_model,
    reference_tokens,
)

torch = pytest.importorskip("torch")

from pointsman.worker.decoder import Decoder  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.model,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture(scope="module", params=["nf4", "full"])
def spec(request: pytest.FixtureRequest, models_dir: Path) -> GeneratorSpec:
    return generator_spec(GENERATOR, models_dir / GENERATOR.name, precision=request.param, context=2048)


@pytest.fixture(scope="module")
def loaded(spec: GeneratorSpec, derived_dir: Path) -> Any:
    from pointsman.worker.load import load_generator, quiet

    quiet()
    return load_generator(spec, "cuda", derived_dir)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def link(models_dir: Path, derived_dir: Path) -> AsyncIterator[TorchLink]:
    link = TorchLink(
        generator=generator_spec(GENERATOR, models_dir / GENERATOR.name, precision="nf4", context=2048),
        embedder=embedder_spec(EMBEDDER, models_dir / EMBEDDER.name),
        device="cuda",
        cache_dir=derived_dir,
    )
    yield link
    await link.stop()


def test_greedy_tokens_are_those_of_transformers_generate(loaded: Any, spec: GeneratorSpec, derived_dir: Path) -> None:
    """But for ties, which 16 bits leave and another order of the same sums breaks another way."""
    theirs = plain_model(spec, "cuda", derived_dir)
    short = [prompt for prompt in PROMPTS if len(loaded.encode(prompt)) <= 256]
    other = [p for p in short if own_tokens(loaded, p, 24) != reference_tokens(theirs, loaded, p, 24)]
    assert len(other) <= len(short) // 3, other


def test_a_captured_pass_gives_what_it_gives_uncaptured(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(loaded.backbone, Decoder)
    ids = loaded.encode(PROMPTS[-1])
    rows = []
    for captures in (True, False):
        monkeypatch.setattr(loaded.backbone, "_captures", captures)
        cache = loaded.new_cache()
        loaded.forward(ids[:-6], cache)
        one = loaded.forward(ids[-6:-5], cache).clone()
        rows.append(torch.cat([one, loaded.forward(ids[-5:], cache, rows=5).clone()]).float())
        assert bool(cache.graphs) is captures
    assert float((rows[0] - rows[1]).norm() / rows[1].norm()) < 0.02


def test_an_error_on_the_device_is_known_for_what_it_is() -> None:
    """In a process of its own, whose context is of no use afterwards, as the last line shows."""
    program = """
import torch
from pointsman.worker.faults import device_lost, out_of_memory
table, beyond = torch.zeros(4, device="cuda"), torch.tensor([1 << 20], device="cuda")
for use in (lambda: table[beyond], lambda: torch.ones(4, device="cuda") + 1):
    try:
        use()
        torch.cuda.synchronize()
        raise SystemExit("no error")
    except RuntimeError as error:
        assert device_lost(error) and not out_of_memory(error), type(error).__name__
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_tokens_per_second_are_printed(loaded: Any, spec: GeneratorSpec, capsys: pytest.CaptureFixture[str]) -> None:
    own_tokens(loaded, ADD, 8)
    started = time.perf_counter()
    count = len(own_tokens(loaded, "Once upon a time", 128))
    torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    with capsys.disabled():
        print(f"\n{torch.cuda.get_device_name()}: {spec.precision}, {count / seconds:.1f} tokens/s")  # noqa: T201
    assert count > 8


@pytest.mark.asyncio(loop_scope="module")
async def test_the_process_streams_reuses_and_reports_the_device_s_memory(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    text, finish, _ = await ask(engine, ADD, max_tokens=16)
    assert text
    assert finish.tokens > 0
    _, finish, _ = await ask(engine, ADD, max_tokens=1)
    assert finish.reused_tokens == finish.prompt_tokens - 1
    assert (engine.status().memory_bytes or 0) > 100e6


@pytest.mark.asyncio(loop_scope="module")
async def test_a_seed_makes_an_answer_repeatable(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    drawn = [(await ask(engine, ADD, max_tokens=16, temperature=1.5, seed=s))[0] for s in (0, 1, 1, 2, 3)][1:]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


@pytest.mark.asyncio(loop_scope="module")
async def test_closing_the_stream_frees_the_engine(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    long = GenerateRequest(prompt="Once upon", sampling=Sampling(max_tokens=1500), priority=Priority.CHAT)
    async with aclosing(engine.generate(long)) as items:
        async for _ in items:
            break
    _, finish, _ = await ask(engine, "Once upon", Priority.CHAT, max_tokens=2)
    assert finish.queue_ms < 20 * (finish.decode_ms + finish.prefill_ms)


@pytest.mark.asyncio(loop_scope="module")
async def test_embeddings_and_comparisons_are_close_to_those_of_the_cpu(
    link: TorchLink, models_dir: Path, derived_dir: Path
) -> None:
    texts = ["def add(a, b): return a + b", "the cat sat " * 200, *(f"text {i}" for i in range(70))]
    on_cuda = await TorchEmbedder(link).embed(texts, kind="document", priority=Priority.INDEX)
    read_on_cuda = await TorchEmbedder(link).compare("Where are numbers added?", texts, priority=Priority.CHAT)
    cpu = TorchLink(
        generator=None,
        embedder=embedder_spec(EMBEDDER, models_dir / EMBEDDER.name),
        device="cpu",
        cache_dir=derived_dir,
    )
    on_cpu = await TorchEmbedder(cpu).embed(texts, kind="document", priority=Priority.INDEX)
    read_on_cpu = await TorchEmbedder(cpu).compare("Where are numbers added?", texts, priority=Priority.CHAT)
    await cpu.stop()
    assert read_on_cuda is not None and read_on_cuda == pytest.approx(read_on_cpu, abs=0.02)
    cosines = [sum(x * y for x, y in zip(a, b, strict=True)) for a, b in zip(on_cuda, on_cpu, strict=True)]
    assert min(cosines) > 0.999


@pytest.mark.asyncio(loop_scope="module")
async def test_stop_gives_the_memory_back(link: TorchLink) -> None:
    engine = TorchGenerator(link)
    await engine.start()
    pid = engine.status().pid
    assert pid is not None
    await engine.stop()
    assert gone(pid)
