"""Whether a model fits this machine, before anything is loaded. Megabytes are 10^6 bytes, as on cards.

The estimate is weights, plus keys and values of the context, plus what the engine takes for itself. It errs on the
safe side and is no promise: what other programs take changes. Imports no torch; CUDA devices are asked of nvidia-smi.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import psutil

from pointsman.errors import WontFit
from pointsman.models.card import Card
from pointsman.settings import EngineChoice, Precision

DEFAULT_CONTEXT = 4096
"""Tokens of context for which a model must have room."""
_MB = 10**6
_OVERHEAD_MB = {"cuda": 900, "cpu": 700, "llama.cpp": 250}
"""What an engine takes beside weights and cache: the CUDA context with its kernels, torch itself, compute buffers."""
_RESERVE = 0.1
"""Share of the free memory that stays free, so that the machine does not begin to swap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaDevice:
    name: str
    total_mb: int
    free_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    cores: int
    """Physical cores where the system says, else logical ones."""
    total_mb: int
    available_mb: int
    """Memory that programs can get without swapping."""
    cuda: tuple[CudaDevice, ...] = ()
    """Devices that torch could use; empty when the installed torch has no CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    ok: bool
    needed_mb: int
    available_mb: int
    where: Literal["cuda", "cpu", "llama.cpp", "elsewhere"]
    """What would run it: torch on a GPU, torch on the CPU, llama.cpp, or somebody's own endpoint."""
    reason: str


def hardware(query: Callable[[], str] | None = None) -> Hardware:
    """This machine, now.

    Args:
        query: gives nvidia-smi's lines "name, total MiB, free MiB"; None asks nvidia-smi itself.
    """
    memory = psutil.virtual_memory()
    return Hardware(
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        total_mb=memory.total // _MB,
        available_mb=memory.available // _MB,
        cuda=_devices((query or _nvidia_smi)()),
    )


def fits(
    card: Card, machine: Hardware, *, precision: Precision, engine: EngineChoice, context: int = DEFAULT_CONTEXT
) -> Fit:
    """Estimate the memory of `card` for `context` tokens, or for its own limit when that is lower."""
    if engine == "own":
        return Fit(ok=True, needed_mb=0, available_mb=0, where="elsewhere", reason="the own endpoint runs it")
    where = _where(card, machine, engine)
    weights = _weights_mb(card, precision, where)
    if weights is None:
        return Fit(ok=False, needed_mb=0, available_mb=0, where=where, reason="llama.cpp needs a GGUF file")
    cache = card.kv_bytes_per_token * min(context, card.context_length) / _MB
    needed = round(weights + cache) + _OVERHEAD_MB[where]
    free = max((d.free_mb for d in machine.cuda), default=0) if where == "cuda" else machine.available_mb
    available = round(free * (1 - _RESERVE))
    place = "on the GPU" if where == "cuda" else "of memory"
    reason = f"needs about {needed} MB {place}, {available} MB are free"
    return Fit(ok=needed <= available, needed_mb=needed, available_mb=available, where=where, reason=reason)


def check_fit(
    card: Card,
    machine: Hardware,
    *,
    precision: Precision,
    engine: EngineChoice,
    alternatives: Sequence[Card],
    context: int = DEFAULT_CONTEXT,
) -> None:
    """Raises `WontFit` when `card` does not fit; the remedy names what would, among `alternatives`."""
    found = fits(card, machine, precision=precision, engine=engine, context=context)
    if found.ok:
        return
    remedies = []
    if precision == "full" and fits(card, machine, precision="nf4", engine=engine, context=context).ok:
        remedies.append('precision = "nf4" would fit')
    fitting = [
        other
        for other in alternatives
        if other.name != card.name
        and set(other.roles) & set(card.roles)
        and not other.needs_remote_code
        and fits(other, machine, precision=precision, engine=engine, context=context).ok
    ]
    if fitting:
        best = max(fitting, key=lambda other: other.parameters_m)
        remedies.append(f"{best.name} would fit: pointsman models use {best.name}")
    raise WontFit(f"{card.name} does not fit: {found.reason}", remedy="; ".join(remedies) or "free some memory")


def _where(card: Card, machine: Hardware, engine: EngineChoice) -> Literal["cuda", "cpu", "llama.cpp"]:
    """The engine that `engine` comes to: "auto" is torch on a GPU, else llama.cpp where there is a GGUF, else torch."""
    if engine == "llama.cpp" or (engine == "auto" and card.gguf and not machine.cuda):
        return "llama.cpp"
    return "cuda" if machine.cuda else "cpu"


def _weights_mb(card: Card, precision: Precision, where: str) -> int | None:
    if where == "llama.cpp":
        return card.memory_mb.get("gguf")
    if "embedding" in card.roles:
        return card.memory_mb.get("full")
    return card.memory_mb.get(precision) or max(card.memory_mb.values())


def _nvidia_smi() -> str:
    line = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        return subprocess.run(line, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""  # no driver, no device


def _devices(lines: str) -> tuple[CudaDevice, ...]:
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1") or not _torch_has_cuda():
        return ()
    found = []
    for line in lines.splitlines():
        name, *sizes = (field.strip() for field in line.rsplit(",", 2))
        if len(sizes) == 2 and all(size.isdigit() for size in sizes):  # a split GPU says "[N/A]"
            total, free = (int(size) * 2**20 // _MB for size in sizes)
            found.append(CudaDevice(name=name, total_mb=total, free_mb=free))
    return tuple(found)


def _torch_has_cuda() -> bool:
    """Builds of torch without CUDA carry "+cpu" in their version."""
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
