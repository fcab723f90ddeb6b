"""Model folders to models in memory: 4-bit NF4 by bitsandbytes or full precision, from safetensors or GGUF.

NF4 is Dettmers et al., "QLoRA", 2023. Only safetensors and GGUF are read and no code of a model's folder ever runs.
Nothing is fetched: what is not on disk is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from safetensors import SafetensorError
from tokenizers import Tokenizer

from pointsman.errors import EngineError, ModelMissing, PointsmanError
from pointsman.worker.adapter import merge
from pointsman.worker.convert import convert_gguf
from pointsman.worker.decoder import Decoder, suits
from pointsman.worker.derived import Derived, identity
from pointsman.worker.embed import Encoder
from pointsman.worker.engine import Backbone
from pointsman.worker.faults import out_of_memory
from pointsman.worker.generic import Generic
from pointsman.worker.messages import EmbedderSpec, GeneratorSpec
from pointsman.worker.transformer import Transformer

_PROBE = tuple(range(5, 29))
_TOLERANCE = 0.2
"""Of the vector's length. In bf16 another order of the same sums makes up to 0.06 (random weights, 28 layers); wrong
arithmetic, such as another rotation or norm, makes about 1."""


def pick_device(choice: Literal["auto", "cpu", "cuda"]) -> str:
    """Raises `EngineError` when CUDA is asked for and absent."""
    if choice == "cuda" and not torch.cuda.is_available():
        raise EngineError("there is no CUDA device", remedy='set device = "auto"')
    return "cuda" if choice != "cpu" and torch.cuda.is_available() else "cpu"


def compute_dtype(device: str, precision: str = "full") -> torch.dtype:
    """bf16 on CUDA that has it, else fp16; on a CPU fp32, where it is exact.

    NF4 on a CPU that multiplies bf16: bitsandbytes does so there in any case, and the rest then takes half the memory.
    """
    if device == "cpu":
        return torch.bfloat16 if precision == "nf4" and _multiplies_bf16() else torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def load_generator(spec: GeneratorSpec, device: str, cache_dir: Path) -> Transformer:
    """Raises `ModelMissing` for a folder without weights, `EngineError` for one that cannot be used."""
    folder, source = _plain_folder(spec, cache_dir)

    def load() -> Any:
        if spec.precision == "nf4":
            return _load_nf4(spec, folder, source, device, cache_dir)
        return _load(folder, device, compute_dtype(device))

    model = load()
    tokenizer = _tokenizer(folder, spec.name)
    longest = getattr(model.config, "max_position_embeddings", None) or spec.context
    context = min(spec.context, longest)
    stop_ids = _stop_ids(model, tokenizer, spec)
    return Transformer(
        _backbone(model, load, context),
        tokenizer,
        context=context,
        stop_ids=stop_ids,
        hidden_ids=_hidden_ids(tokenizer, spec),
    )


def _backbone(model: Any, load: Callable[[], Any], context: int) -> Backbone:
    """The own forward pass where it computes what the model's own does on a few tokens, else that one."""
    if not suits(model.config):
        return Generic(model)
    expected = _probed(Generic(model))
    try:
        decoder = Decoder(model, context)
    except ValueError:
        return Generic(load())
    if not _same(_probed(decoder), expected):
        return Generic(load())
    return decoder


def _probed(backbone: Backbone) -> Any:
    """Logits behind a few tokens, read in two parts so that the cache takes part."""
    cache = backbone.new_cache()
    backbone.forward(_PROBE[:-3], cache, rows=0)
    return backbone.forward(_PROBE[-3:], cache, rows=3).float().clone()


def _same(ours: Any, theirs: Any) -> bool:
    return bool((ours - theirs).norm() <= _TOLERANCE * theirs.norm())


def _plain_folder(spec: GeneratorSpec, cache_dir: Path) -> tuple[Path, str]:
    """A folder with safetensors, and the identity of the files it comes from."""
    folder = Path(spec.folder)
    if weights := list(folder.glob("*.safetensors")):
        return folder, identity(weights)
    gguf = folder / spec.gguf
    if not spec.gguf or not gguf.is_file():
        raise _missing(spec.name)
    source = identity([gguf], spec.gguf_sha256)
    # What one version of transformers writes, another need not read.
    plain = Derived(cache_dir, spec.name, "gguf", f"{source}-{transformers.__version__}")
    if not plain.there():
        plain.make(lambda out: convert_gguf(gguf, out))
    return plain.path, source


def _load_nf4(spec: GeneratorSpec, folder: Path, source: str, device: str, cache_dir: Path) -> Any:
    """The quantised weights are kept: quantising takes seconds a start on a CPU, and reading four times the bytes."""
    dtype = compute_dtype(device, "nf4")
    kept = Derived(cache_dir, spec.name, f"nf4-{str(dtype).removeprefix('torch.')}", source)
    if kept.there():
        try:
            return _load(kept.path, device, dtype)
        except Exception as error:
            if out_of_memory(error):
                raise
            # Damaged, or from another version of the libraries: made again below.
            kept.drop()
    quantisation = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )
    model = _load(folder, device, dtype, quantisation)
    # A full disk costs the next start its seconds, nothing else.
    with contextlib.suppress(OSError, SafetensorError):
        kept.make(lambda out: model.save_pretrained(str(out)))
    return model


def _load(folder: Path, device: str, dtype: torch.dtype, quantisation: Any = None) -> Any:
    # Left out when there is none: a None would hide the configuration that quantised weights bring along.
    how = {"quantization_config": quantisation} if quantisation is not None else {}
    return transformers.AutoModelForCausalLM.from_pretrained(
        str(folder),
        **how,
        dtype=dtype,
        device_map={"": device},
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
    ).eval()


def load_embedder(spec: EmbedderSpec, device: str) -> Encoder:
    folder = Path(spec.folder)
    if not any(folder.glob("*.safetensors")):
        raise _missing(spec.name)
    model = transformers.AutoModel.from_pretrained(
        str(folder),
        dtype=compute_dtype(device),
        device_map={"": device},
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
    ).eval()
    longest = min(spec.max_tokens, getattr(model.config, "max_position_embeddings", None) or spec.max_tokens)
    recipe = merge(model, folder, Path(spec.adapter), spec.adapter_sha256) if spec.adapter else None
    if recipe and device == "cpu" and _multiplies_bf16():
        model.bfloat16()  # half the time, and a cosine of 0.9999 with fp32: adapters are trained in it
    return Encoder(
        model,
        _tokenizer(folder, spec.name),
        max_tokens=recipe.document_tokens if recipe else longest,
        query_tokens=recipe.query_tokens if recipe else longest,
        as_words=recipe is not None,
        query_prefix=spec.query_prefix,
        pooling=spec.pooling,
    )


def _multiplies_bf16() -> bool:
    """Whether this CPU does so natively."""
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def quiet() -> None:
    """No progress bars, no warnings, no gradients."""
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    torch.set_grad_enabled(False)


def device_bytes(device: str) -> int:
    return int(torch.cuda.memory_reserved()) if device == "cuda" else 0


def _tokenizer(folder: Path, name: str) -> Any:
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise EngineError(f"the model {name} has no tokenizer.json", remedy=f"pointsman models verify {name}")
    return Tokenizer.from_file(str(file))


def _stop_ids(model: Any, tokenizer: Any, spec: GeneratorSpec) -> frozenset[int]:
    ids: set[int] = set()
    for config in (model.config, getattr(model, "generation_config", None)):
        end = getattr(config, "eos_token_id", None)
        ids.update([end] if isinstance(end, int) else end or [])
    ids.update(_known(tokenizer, spec.stop_tokens))
    return frozenset(ids)


def _hidden_ids(tokenizer: Any, spec: GeneratorSpec) -> frozenset[int]:
    special = {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    return frozenset(special | _known(tokenizer, spec.special_tokens))


def _known(tokenizer: Any, texts: tuple[str, ...]) -> set[int]:
    ids = (tokenizer.token_to_id(text) for text in texts)
    return {i for i in ids if i is not None}


def _missing(name: str) -> ModelMissing:
    return ModelMissing(f"the model {name} is not here", remedy=f"pointsman models pull {name}")


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what a library raises while loading `name` into an `EngineError` that names only the kind of error."""
    try:
        yield
    except PointsmanError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise EngineError(
            f"the model {name} could not be loaded: {type(error).__name__}", remedy=f"pointsman models verify {name}"
        ) from error
