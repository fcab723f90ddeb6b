"""A GGUF file as a safetensors folder, because reading a GGUF takes transformers 12 s and more at every start.

Weights are kept as float16: GGUF's own scales are float16, so this loses less than its quantisation already did.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def convert_gguf(gguf: Path, out: Path) -> None:
    """Write config, weights and tokenizer of `gguf` into the folder `out`.

    Raises what transformers raises for a family that it does not know.
    """
    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float16)
    # By hand: transformers refuses to save what it loaded from a GGUF, though the weights are plain by now.
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name not in tied}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    config.pop("quantization_config", None)
    (out / "config.json").write_text(json.dumps(config, default=str), "utf-8")
    model.generation_config.save_pretrained(out)
    AutoTokenizer.from_pretrained(**where).save_pretrained(out)
