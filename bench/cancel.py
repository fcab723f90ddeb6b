"""How soon an engine is idle after a request is cancelled, and that nothing stays behind.

    python bench/cancel.py --models ~/.local/share/pointsman/models --engine llama.cpp --requests 1000

Each request has a prompt of its own behind a common beginning and is cancelled after a random time, in the middle of
its prompt or of its answer. At once another request asks for one token that is nearly free; what it takes longer than
alone is how long the engine was not idle. Prints one JSON object. The memory is that of the engine's process after a
tenth of the requests and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from engine import ENGINES, about, build
from pointsman.models.base import GenerateRequest, Generator, Priority, Sampling

LONGEST = 0.6
"""Seconds until a request is cancelled: about the time from a cold prompt's first slice to the end of an answer."""


async def consume(engine: Generator, request: GenerateRequest) -> None:
    async with aclosing(engine.generate(request)) as items:
        async for _ in items:
            pass


async def probe(engine: Generator) -> float:
    """Milliseconds of a request for one token whose prompt is in the cache of chat, which typing does not share."""
    started = time.perf_counter()
    await consume(
        engine,
        GenerateRequest(prompt="def add(a, b):", sampling=Sampling(max_tokens=1), priority=Priority.CHAT),
    )
    return (time.perf_counter() - started) * 1000


async def measure(name: str, models: Path, scratch: Path, requests: int) -> dict[str, object]:
    engine = build(name, models, scratch)
    await engine.start()
    alone = [await probe(engine) for _ in range(30)][5:]
    draw = random.Random(11)
    common = about(300)
    waits: list[float] = []
    memory = [0, 0]
    for number in range(requests):
        prompt = f"{common}\n# {draw.random()}\n{about(draw.randrange(50, 700))}"
        request = GenerateRequest(prompt=prompt, sampling=Sampling(max_tokens=64), priority=Priority.TYPING)
        task = asyncio.create_task(consume(engine, request))
        await asyncio.sleep(draw.random() * LONGEST)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        waits.append(max(0.0, await probe(engine) - statistics.median(alone)))
        if number in (requests // 10, requests - 1):
            memory[number == requests - 1] = engine.status().memory_bytes or 0
    await engine.stop()
    waits.sort()
    return {
        "engine": name,
        "requests": requests,
        "probe_alone_ms": {"median": round(statistics.median(alone), 1), "max": round(max(alone), 1)},
        "busy_ms": {
            "p50": round(waits[len(waits) // 2], 1),
            "p95": round(waits[int(len(waits) * 0.95)], 1),
            "p99": round(waits[int(len(waits) * 0.99)], 1),
            "max": round(waits[-1], 1),
        },
        "over_100_ms": sum(wait > 100 for wait in waits),
        "memory_mb": [round(size / 1e6) for size in memory],
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder with one folder for each model")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="may be repeated; all when absent")
    parser.add_argument("--requests", type=int, default=1000)
    arguments = parser.parse_args()
    for name in arguments.engine or ENGINES:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(asyncio.run(measure(name, arguments.models, Path(scratch), arguments.requests))))


if __name__ == "__main__":
    main()
