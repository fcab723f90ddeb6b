"""What an error of torch means for the process. Imports nothing but torch."""

from __future__ import annotations

import torch

_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
"""In the words of torch on a CPU, of CUDA, and of CUDA's libraries (CUBLAS_STATUS_ALLOC_FAILED)."""


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` is torch's or Python's way to say that memory ran out; on a CPU torch has no type for it."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def device_lost(error: BaseException) -> bool:
    """Whether `error` is CUDA's: most leave a context in which every later call fails, until the process ends.

    What cannot be captured as a graph is told the same way and costs nothing but the capture.
    """
    of_cuda = isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and "CUDA error" in str(error)
    )
    return of_cuda and "captur" not in str(error)
