"""Ghost text that must come: a prefix that even the smallest model goes on from."""

from __future__ import annotations

from pathlib import Path

from tests.lspwire import Wire


async def suggestion(wire: Wire, repository: Path, head: str = "def subtract(a, b):") -> str:
    """Open the cart, type `head` and a `return` below it; what is suggested after that. Another head misses the cache
    of the window."""
    file = repository / "shop" / "cart.py"
    lines = f"{file.read_text()}\n\n{head}\n    return ".split("\n")
    await wire.open(file.as_uri(), "\n".join(lines))
    answer = await wire.complete(file.as_uri(), len(lines) - 1, len(lines[-1]))
    await wire.notify("textDocument/didClose", {"textDocument": {"uri": file.as_uri()}})
    assert answer["result"]["items"], "no ghost text"
    text: str = answer["result"]["items"][0]["insertText"]
    assert text.strip()
    return text
