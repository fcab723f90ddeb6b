"""What NF4, the own forward pass and CUDA graphs are worth on a GPU: tokens a second, and that all say the same.

    python bench/cuda.py --shape qwen2.5-coder-1.5b

Weights are random, of a real model's shape: speed hangs on the shape alone, so nothing has to be downloaded. Prints a
line of JSON for each shape and precision. `eager` is transformers' pass with its dynamic cache, `own` the project's
pass, `graphs` the same captured. Times are of one token after another, with the choice of each on the host.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import bitsandbytes
import torch
import transformers

from pointsman.worker import decoder as own
from pointsman.worker.generic import Generic
from pointsman.worker.graphs import WIDTHS

SHAPES: dict[str, dict[str, Any]] = {
    "smollm2-135m": {
        "family": "llama",
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "tie_word_embeddings": True,
    },
    "qwen2.5-coder-1.5b": {
        "family": "qwen2",
        "vocab_size": 151936,
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    "qwen2.5-coder-7b": {
        "family": "qwen2",
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
    },
}
CONTEXT, WRITTEN = 1000, 64


def model(shape: str, *, nf4: bool) -> Any:
    sizes = {key: value for key, value in SHAPES[shape].items() if key != "family"}
    config = transformers.AutoConfig.for_model(SHAPES[shape]["family"], max_position_embeddings=4096, **sizes)
    torch.manual_seed(7)
    with torch.device("cuda"):
        made = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    if nf4:
        for layer in made.model.layers:
            for parent in (layer.self_attn, layer.mlp):
                for name, linear in list(parent.named_children()):
                    if isinstance(linear, torch.nn.Linear):
                        setattr(parent, name, quantised(linear))
    return made


def quantised(linear: Any) -> Any:
    made = bitsandbytes.nn.Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=torch.bfloat16,
        quant_type="nf4",
        compress_statistics=False,
    )
    made.weight = bitsandbytes.nn.Params4bit(
        linear.weight.data.cpu(), requires_grad=False, quant_type="nf4", compress_statistics=False
    )
    made.bias = linear.bias
    return made.to("cuda").eval()


def prefilled(backbone: Any) -> tuple[Any, int, float]:
    """A cache with the context, the next token, and the seconds that took."""
    ids = [(at * 7919) % 40_000 for at in range(CONTEXT)]
    cache = backbone.new_cache()
    started = time.perf_counter()
    for at in range(0, CONTEXT, 500):
        logits = backbone.forward(ids[at : at + 500], cache)
    token = int(logits[-1].argmax())
    return cache, token, time.perf_counter() - started


def written(backbone: Any) -> tuple[list[int], float]:
    """Tokens, and tokens a second. The first round is not timed: kernels are loaded and graphs captured in it."""
    for _ in range(2):
        cache, token, _ = prefilled(backbone)
        tokens = [token]
        started = time.perf_counter()
        for _ in range(WRITTEN):
            token = int(backbone.forward([token], cache)[-1].argmax())
            tokens.append(token)
        seconds = time.perf_counter() - started
    return tokens, WRITTEN / seconds


def checked(backbone: Any) -> float:
    """Milliseconds of a pass of the widest graph, as it checks a draft."""
    cache, token, _ = prefilled(backbone)
    width = WIDTHS[-1]
    took = []
    for _ in range(10):
        started = time.perf_counter()
        int(backbone.forward([token] * width, cache, rows=width)[-1].argmax())
        took.append(time.perf_counter() - started)
        backbone.crop(cache, CONTEXT)
    return sorted(took)[len(took) // 2] * 1000


def differs(ours: Any, theirs: Any) -> float:
    """Largest distance of logits along the same tokens, relative to their length."""
    caches = prefilled(ours)[0], prefilled(theirs)[0]
    most = 0.0
    for token in range(100, 120):
        a, b = (one.forward([token], cache)[-1].float() for one, cache in zip((ours, theirs), caches, strict=True))
        most = max(most, float((a - b).norm() / b.norm()))
    return most


def rows(shape: str) -> Iterator[dict[str, Any]]:
    for nf4 in (False, True):
        eager = Generic(model(shape, nf4=nf4))
        graphs = own.Decoder(model(shape, nf4=nf4), context=4096)
        result: dict[str, Any] = {"shape": shape, "precision": "nf4" if nf4 else "bf16"}
        result["differs"] = {"graphs": round(differs(graphs, eager), 4)}
        speeds: dict[str, Callable[[], tuple[list[int], float]]] = {
            "eager": lambda eager=eager: written(eager),
            "graphs": lambda graphs=graphs: written(graphs),
        }
        tokens = {name: run() for name, run in speeds.items()}
        result["prefill_ms"] = {
            "eager": round(prefilled(eager)[2] * 1000, 1),
            "own": round(prefilled(graphs)[2] * 1000, 1),
        }
        result["check_of_8_ms"] = round(checked(graphs), 2)
        # The same pass without its graphs.
        graphs._captures = False
        result["differs"]["own"] = round(differs(graphs, eager), 4)
        tokens["own"] = written(graphs)
        result["tokens_per_s"] = {name: round(speed, 1) for name, (_, speed) in tokens.items()}
        result["same_tokens_as_eager"] = {
            name: sum(a == b for a, b in zip(tokens["eager"][0], said, strict=True)) / len(said)
            for name, (said, _) in tokens.items()
        }
        result["memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        yield result
        del eager, graphs, speeds, tokens
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), action="append", help="may be repeated; all when absent")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device")
    torch.set_grad_enabled(False)
    print(json.dumps({"device": torch.cuda.get_device_name(), "torch": torch.__version__}))
    for shape in arguments.shape or SHAPES:
        for row in rows(shape):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
