"""Server-sent events: the data of each, in order, until `[DONE]` or the end. Pure; the caller bounds the bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator


async def events(content: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Data that spans several lines is joined by newlines; comments, names and ids are left out."""
    rest, data = b"", []
    async for chunk in content:
        *lines, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                whole, data = b"\n".join(data), []
                if whole.strip() == b"[DONE]":
                    return
                yield whole
    if rest.startswith(b"data:"):
        data.append(rest[5:].removeprefix(b" "))
    if data and (whole := b"\n".join(data)).strip() != b"[DONE]":
        yield whole
