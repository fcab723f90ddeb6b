"""The instruction and the code as messages for the local model."""

from __future__ import annotations

from pointsman.models.prompting import ticks_for
from pointsman.refactor.lines import Selection, reindented

EDIT = "You edit code. Answer with the whole new code in one code block."
_EXAMPLE = (
    ("user", "Instruction: rename w to width\n```python\ndef area(w, h):\n    return w * h\n```"),
    ("assistant", "```python\ndef area(width, h):\n    return width * h\n```"),
)


def local_messages(selection: Selection, instruction: str, language: str) -> tuple[list[tuple[str, str]], str]:
    """(role, content) pairs and the start of the answer. One example and no surroundings: small models need that."""
    ticks = ticks_for(selection.text)
    code = reindented(selection.text, "")
    asked = f"Instruction: {' '.join(instruction.split())}\n{ticks}{language}\n{code}\n{ticks}"
    return [("system", EDIT), *_EXAMPLE, ("user", asked)], f"{ticks}{language}\n"
