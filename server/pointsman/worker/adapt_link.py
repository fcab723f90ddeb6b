"""The parent's end of a child that learns from a repository: what it says, as a stream. Imports nothing of torch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from pointsman.errors import EngineError
from pointsman.worker import messages as m
from pointsman.worker.pipe import to_error
from pointsman.worker.supervise import spawn


async def adapt(order: m.Adapt) -> AsyncGenerator[m.Step | m.Adapted, None]:
    """Steps, then one `Adapted`. Closing the stream kills the child, which has written nothing.

    Raises what the child failed with, or `EngineError` when it died.
    """
    try:
        process = await spawn("pointsman.worker.adapt")
    except OSError as error:
        raise EngineError(f"adapting could not be started: {error.strerror}") from error
    assert process.stdin is not None and process.stdout is not None
    try:
        with contextlib.suppress(ConnectionError):  # a child that died at once says why below
            process.stdin.write(m.encode(order))
            await process.stdin.drain()
        while line := await process.stdout.readline():
            match m.decode_to_parent(line):
                case m.Step() as step:
                    yield step
                case m.Adapted() as done:
                    yield done
                    return
                case m.Failed() as failed:
                    raise to_error(failed)
                case _:
                    break
        raise EngineError("adapting ended early", remedy="the index is as it was; try again")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.stdin.close()
        await asyncio.shield(process.wait())
