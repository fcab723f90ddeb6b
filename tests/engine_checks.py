"""What the engines' checks share, on a CPU and on CUDA alike: models, prompts, and ways to run them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import psutil

from pointsman.models.base import Finish, GenerateRequest, Piece, Priority, Sampling
from pointsman.models.catalogue import load_catalogue
from pointsman.worker.engine import End, Generation, PrefixCache
from pointsman.worker.generic import Generic
from pointsman.worker.messages import GeneratorSpec
from pointsman.worker.sampling import Chooser

GENERATOR = load_catalogue().get("smollm2-135m")
EMBEDDER = replace(load_catalogue().get("code-minilm"), adapter="", max_tokens_embedded=256)
"""The plain model, whose vectors can be computed again by other means."""

ADD = "def add(a, b):\n    return"

PROMPTS = (
    ADD,
    "import os\n\ndef read_lines(path):\n    with open(path) as f:\n        return",
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
    "The capital of France is",
    "for i in range(10):\n    print(",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "SELECT name, age FROM users WHERE",
    "<html>\n<head>\n<title>",
    "fn main() {\n    let mut total = 0;\n    for x in 0..10 {\n",
    "const express = require('express');\nconst app = express();\napp.get('/',",
    "# TODO: sort the list\ndef sort(items):\n",
    "Once upon a time there was a",
    "func Sum(values []int) int {\n\ttotal := 0\n\tfor _, v := range values {\n",
    "try:\n    value = int(text)\nexcept",
    "public class Main {\n    public static void main(String[] args) {\n",
    "x = [1, 2, 3]\ny = [n * 2 for n in x]\nprint(y)  #",
    "import numpy as np\n\na = np.zeros((3, 3))\na[0, 0] =",
    "<|im_start|>user\nWhat is a linked list?<|im_end|>\n<|im_start|>assistant\n",
    "Grüße, 世界! 😀 The emoji means",
    "def mean(values):\n    total = 0\n" + "    total += 1\n" * 120 + "    return",
)
"""Twenty: code of several languages, prose, a chat template, other scripts, and one longer than a prefill slice."""


class Writes(Protocol):
    def generate(self, request: GenerateRequest) -> AsyncGenerator[Piece | Finish, None]: ...


async def ask(
    engine: Writes, prompt: str, priority: Priority = Priority.TYPING, **sampling: Any
) -> tuple[str, Finish, list[Piece]]:
    """Text, finish and pieces of one generation. The finish is the last item and the only one."""
    request = GenerateRequest(prompt=prompt, sampling=Sampling(**sampling), priority=priority)
    pieces: list[Piece] = []
    finish: Finish | None = None
    async with asyncio.timeout(120), aclosing(engine.generate(request)) as items:
        async for item in items:
            assert finish is None
            if isinstance(item, Finish):
                finish = item
            else:
                assert item.text
                pieces.append(item)
    assert finish is not None
    return "".join(p.text for p in pieces), finish, pieces


def own_tokens(model: Any, prompt: str, count: int) -> list[int]:
    """Greedy tokens of the project's own loop, a stop token included."""
    chosen: list[int] = []
    choose = Chooser.choose

    def noting(self: Chooser, logits: Any) -> tuple[int, float]:
        token, score = choose(self, logits)
        chosen.append(token)
        return token, score

    with mock.patch.object(Chooser, "choose", noting):
        job = Generation(model, PrefixCache(), prompt, Sampling(max_tokens=count))
        while not any(isinstance(part, End) for part in job.step()):
            pass
    return chosen


def plain_model(spec: GeneratorSpec, device: str, cache_dir: Path) -> Any:
    """The weights that `load_generator` takes, as transformers' own model."""
    from pointsman.worker import load

    taken: list[Any] = []
    backbone = mock.patch.object(load, "_backbone", lambda model, again, context: taken.append(model) or Generic(model))
    with backbone:
        load.load_generator(spec, device, cache_dir)
    return taken[0]


def reference_tokens(model: Any, tokenizer: Any, prompt: str, count: int) -> list[int]:
    """Greedy tokens of transformers' own `generate()`, a stop token included.

    Args:
        model: a model of transformers.
        tokenizer: the project's `Transformer` of the same weights, for its tokens and stop tokens.
    """
    import torch

    ids = torch.tensor([tokenizer.encode(prompt)], device=model.device)
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=count,
        do_sample=False,
        eos_token_id=sorted(tokenizer.stop_ids),
        pad_token_id=min(tokenizer.stop_ids),
    )
    tokens: list[int] = out[0, ids.shape[1] :].tolist()
    return tokens


def gone(pid: int, within: float = 5.0) -> bool:
    """Whether the process is no longer there, or only as a zombie that nobody has collected yet."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def orphans_of_a_killed_parent(program: str, *, when: str) -> list[int]:
    """Run `program` (which prints its child's pid), kill -9 it `when` its child is "loading" or "ready".

    Returns the children still there five seconds later.
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", program, when], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert parent.stdout is not None
    with parent.stdout as stdout:
        pids = [int(word) for word in stdout.readline().split()]
    assert pids
    assert all(psutil.pid_exists(pid) for pid in pids)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    return [pid for pid in pids if not gone(pid)]
