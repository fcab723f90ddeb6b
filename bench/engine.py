"""Speed of the local engines on this machine: load, prefill, decode, and the wait for the first token once warm.

    python bench/engine.py --models ~/.local/share/pointsman/models --engine llama.cpp

Prints one JSON object. "cold" is the first start with an empty cache of converted weights, "warm" a later one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from pointsman.models.base import Finish, GenerateRequest, Generator, Priority, Sampling
from pointsman.models.catalogue import load_catalogue
from pointsman.worker.link import TorchGenerator, TorchLink, generator_spec
from pointsman.worker.llama_link import LlamaGenerator

CARD = load_catalogue().get("smollm2-135m")
ENGINES = ("torch-nf4", "torch-full", "llama.cpp")


def build(engine: str, models: Path, scratch: Path) -> Generator:
    folder = models / CARD.name
    if engine == "llama.cpp":
        return LlamaGenerator(card=CARD, folder=folder, run_dir=scratch, context=2048)
    precision = "nf4" if engine == "torch-nf4" else "full"
    spec = generator_spec(CARD, folder, precision=precision, context=2048)  # type: ignore[arg-type]
    return TorchGenerator(TorchLink(generator=spec, embedder=None, device="auto", cache_dir=scratch))


def about(tokens: int) -> str:
    """Python source of about so many tokens, no two functions alike."""
    lines: list[str] = []
    while len(lines) * 7 < tokens:
        n = len(lines)
        lines += [f"def scale_{n}(value):", f'    """Multiply by {n}."""', f"    return value * {n}", ""]
    return "\n".join(lines)


async def one(engine: Generator, prompt: str, count: int) -> tuple[float, Finish]:
    """Seconds to the first piece, and the finish."""
    started = time.perf_counter()
    first = 0.0
    request = GenerateRequest(prompt=prompt, sampling=Sampling(max_tokens=count), priority=Priority.TYPING)
    async with aclosing(engine.generate(request)) as items:
        async for item in items:
            first = first or time.perf_counter() - started
            if isinstance(item, Finish):
                return first, item
    raise RuntimeError("the stream had no finish")


async def measure(name: str, models: Path, scratch: Path) -> dict[str, object]:
    starts = []
    for _ in range(2):
        engine = build(name, models, scratch)
        started = time.perf_counter()
        await engine.start()
        starts.append(round(time.perf_counter() - started, 2))
        if len(starts) < 2:
            await engine.stop()
    await one(engine, "warm up", 2)
    prompt = about(1150)
    cold_first, finish = await one(engine, prompt, 32)
    typed, totals = [], []
    for end in ("def", "def sca", "def scale_2", "def scale_200", "def scale_200(v"):
        started = time.perf_counter()
        first, again = await one(engine, f"{prompt}\n{end}", 16)
        totals.append(round((time.perf_counter() - started) * 1000))
        typed.append(round(first * 1000))
    result = {
        "engine": name,
        "model": CARD.name,
        "load_s": {"cold": starts[0], "warm": starts[1]},
        "prompt_tokens": finish.prompt_tokens,
        "prefill_ms": round(finish.prefill_ms),
        "first_token_ms": {"cold": round(cold_first * 1000), "typed": sorted(typed)[2]},
        "sixteen_tokens_typed_ms": sorted(totals)[2],
        "reused_tokens": again.reused_tokens,
        "decode_tokens_per_s": round(finish.tokens / finish.decode_ms * 1000, 1),
        "memory_mb": round((engine.status().memory_bytes or 0) / 1e6),
        "load_average": os.getloadavg()[0],
    }
    await engine.stop()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder with one folder for each model")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="may be repeated; all when absent")
    arguments = parser.parse_args()
    results = []
    for name in arguments.engine or ENGINES:
        with tempfile.TemporaryDirectory() as scratch:
            results.append(asyncio.run(measure(name, arguments.models, Path(scratch))))
    print(json.dumps({"engines": results}, indent=2))


if __name__ == "__main__":
    main()
