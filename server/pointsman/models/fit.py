"""Whether a model fits this machine, before anything is loaded. Megabytes are 10^6 bytes, as on cards.

The estimate is weights, plus keys and values of the contexts, plus what the engine takes for itself. It errs on the
safe side and is no promise: what other programs take changes. Imports no torch; CUDA devices are asked of nvidia-smi.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import psutil

from pointsman.errors import WontFit
from pointsman.models.card import Card
from pointsman.settings import DeviceChoice, EngineChoice, Precision

DEFAULT_CONTEXT = 4096
"""Tokens of prompt and answer that an engine keeps room for: the pipelines' budgets lie well below."""
_CACHES = 2
"""Typing and chat keep keys and values apart, each for a whole context."""
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
    """Devices that torch could use, in its order: it takes the first. Empty when the installed torch has no CUDA."""
    openmp: bool = True
    """Whether the system has an OpenMP runtime, which the llama.cpp wheel expects and does not bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    ok: bool
    needed_mb: int
    available_mb: int
    where: Literal["cuda", "cpu", "llama.cpp", "elsewhere"]
    """What would run it: torch on a GPU, torch on the CPU, llama.cpp, or somebody's own endpoint."""
    reason: str


def hardware(query: Callable[[], str] | None = None, *, device: DeviceChoice = "auto") -> Hardware:
    """This machine, now.

    Args:
        query: gives nvidia-smi's lines "index, uuid, name, total MiB, free MiB"; None asks nvidia-smi itself.
        device: what the settings choose; with "cpu" there are no CUDA devices.
    """
    memory = psutil.virtual_memory()
    return Hardware(
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        total_mb=memory.total // _MB,
        available_mb=memory.available // _MB,
        cuda=_devices((query or _nvidia_smi)()) if device != "cpu" and _torch_has_cuda() else (),
        openmp=has_openmp(),
    )


def fits(
    card: Card,
    machine: Hardware,
    *,
    precision: Precision,
    engine: EngineChoice,
    context: int = DEFAULT_CONTEXT,
    beside: Card | None = None,
) -> Fit:
    """Estimate the memory of `card` for `context` tokens, or for its own limit when that is lower.

    Args:
        beside: an embedder that the same process loads.
    """
    if engine == "own":
        return Fit(ok=True, needed_mb=0, available_mb=0, where="elsewhere", reason="the own endpoint runs it")
    where = _where(card, machine, engine)
    weights = _weights_mb(card, precision, where)
    if weights is None:
        return Fit(ok=False, needed_mb=0, available_mb=0, where=where, reason="llama.cpp needs a GGUF file")
    if beside is not None:
        weights += _weights_mb(beside, precision, where) or 0
    wider = 2 if where == "cpu" else 1  # than the 16 bits that the card counts with
    cache = _CACHES * wider * card.kv_bytes_per_token * min(context, card.context_length) / _MB
    needed = round(weights + cache) + _OVERHEAD_MB[where]
    free = machine.cuda[0].free_mb if where == "cuda" else machine.available_mb
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
    beside: Card | None = None,
) -> None:
    """Raises `WontFit` when `card` does not fit; the remedy names what would, among `alternatives`."""
    found = fits(card, machine, precision=precision, engine=engine, context=context, beside=beside)
    if found.ok:
        return
    remedies = []
    if precision == "full" and fits(card, machine, precision="nf4", engine=engine, context=context, beside=beside).ok:
        remedies.append('precision = "nf4" would fit')
    fitting = [
        other
        for other in alternatives
        if other.name != card.name
        and set(other.roles) & set(card.roles)
        and not other.needs_remote_code
        and fits(other, machine, precision=precision, engine=engine, context=context, beside=beside).ok
    ]
    if fitting:
        best = max(fitting, key=lambda other: other.parameters_m)
        remedies.append(f"{best.name} would fit: pointsman models use {best.name}")
    raise WontFit(f"{card.name} does not fit: {found.reason}", remedy="; ".join(remedies) or "free some memory")


def runs_on_llama(card: Card, machine: Hardware, engine: EngineChoice) -> bool:
    """Whether `engine` comes to llama.cpp here: "auto" is torch on a GPU, without a GGUF and without OpenMP."""
    return engine == "llama.cpp" or (engine == "auto" and bool(card.gguf) and machine.openmp and not machine.cuda)


def _where(card: Card, machine: Hardware, engine: EngineChoice) -> Literal["cuda", "cpu", "llama.cpp"]:
    if runs_on_llama(card, machine, engine):
        return "llama.cpp"
    return "cuda" if machine.cuda else "cpu"


def _weights_mb(card: Card, precision: Precision, where: str) -> float | None:
    if where == "llama.cpp":
        return card.memory_mb.get("gguf")
    if "embedding" in card.roles:
        precision = "full"
    weights = card.memory_mb.get(precision) or max(card.memory_mb.values())
    if where == "cuda":
        return weights
    # On a CPU torch computes in 32 bits, but for NF4 on some: what that leaves in 16 bits is counted as on the others.
    if precision == "full":
        return max(weights, 4 * card.parameters_m)
    not_quantised = max(0.0, (weights - card.parameters_m / 2) / 1.5)
    return weights + 2 * not_quantised


def has_openmp() -> bool:
    """True wherever llama.cpp's wheel does not need one of the system's."""
    if not sys.platform.startswith("linux"):
        return True
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        return False
    return True


def _nvidia_smi() -> str:
    line = ["nvidia-smi", "--query-gpu=index,uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    try:
        return subprocess.run(line, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""  # no driver, no device


def _devices(lines: str) -> tuple[CudaDevice, ...]:
    """Those that CUDA_VISIBLE_DEVICES shows, in its order. Among unlike GPUs CUDA may count otherwise than nvidia-smi,
    unless CUDA_DEVICE_ORDER says PCI_BUS_ID."""
    found: dict[tuple[str, str], CudaDevice] = {}
    for line in lines.splitlines():
        index, _, rest = line.partition(",")
        uuid, _, rest = rest.partition(",")
        name, *sizes = (field.strip() for field in rest.rsplit(",", 2))
        if len(sizes) == 2 and all(size.isdigit() for size in sizes):  # a split GPU says "[N/A]"
            total, free = (int(size) * 2**20 // _MB for size in sizes)
            found[index.strip(), uuid.strip()] = CudaDevice(name=name, total_mb=total, free_mb=free)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return tuple(found.values())
    shown: list[CudaDevice] = []
    for wanted in map(str.strip, visible.split(",")):
        named = [
            device
            for (index, uuid), device in found.items()
            if wanted == index or (wanted.startswith("GPU-") and uuid.startswith(wanted))
        ]
        if wanted.startswith("MIG-"):  # a slice of one of them, whose size nothing here tells
            named = list(found.values())[:1]
        if len(named) != 1:  # CUDA stops at the first that is none
            break
        shown += named
    return tuple(shown)


def _torch_has_cuda() -> bool:
    """Builds of torch without CUDA carry "+cpu" in their version."""
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
