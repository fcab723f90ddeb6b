"""From a context to the prompt string, by the model's own markers, which are data.

The prompt leaves out the last white-space character before the cursor, and the answer must begin with it. Tokenizers
join a space to the word after it, so a prompt that ends in one asks the model for something it has never seen.
Source of the idea: token healing, after G. Lundberg's "The Art of Prompt Design: Prompt Boundaries and Token
Healing", 2023; here for white space alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.complete.context import Context
from pointsman.models.card import FillInTheMiddle
from pointsman.models.prompting import neutralise

_HASH = {"python", "ruby", "bash", "shellscript", "yaml", "toml", "r", "perl", "makefile", "dockerfile", "elixir"}
_DASH = {"sql", "lua", "haskell"}
_FENCES = {"markdown", "restructuredtext"}
_MARKUP = {"html", "xml", "markdown", "vue", "svelte"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    text: str
    held_back: str
    """White space before the cursor that `text` lacks; the answer must begin with it."""
    stop: tuple[str, ...]
    """What ends an answer in this language, whatever its scope."""


def build_prompt(
    context: Context,
    *,
    path: str,
    language: str,
    fim: FillInTheMiddle | None,
    special_tokens: tuple[str, ...],
    begin: str = "",
) -> Prompt:
    """Stable parts first: other files, the path, then the text up to the cursor. `begin` opens a plain prompt."""

    def safe(text: str) -> str:
        return neutralise(text, special_tokens)

    # Instruction-tuned models close a code block when they take the code for a conversation.
    stop = () if language in _FENCES else ("```",)
    held_back = context.before[-1] if context.before[-1:].isspace() else ""
    before = safe(context.before[: len(context.before) - len(held_back)])
    if fim is None:
        return Prompt(text=begin + comment(safe(path), language) + before, held_back=held_back, stop=stop)
    others = "".join(_other_file(safe(c.path), safe(c.text), language, fim) for c in context.chunks)
    head = f"{fim.file_separator}{safe(path)}\n" if fim.file_separator else ""
    name = "" if fim.file_separator else comment(safe(path), language)
    left, right = f"{fim.prefix}{name}{before}", f"{fim.suffix}{safe(context.after)}"
    middle = f"{left}{right}" if fim.order == "psm" else f"{right}{left}"
    return Prompt(text=f"{others}{head}{middle}{fim.middle}", held_back=held_back, stop=stop)


def comment(text: str, language: str) -> str:
    """`text` as a comment line of the language, line end included."""
    if language in _HASH:
        return f"# {text}\n"
    if language in _DASH:
        return f"-- {text}\n"
    if language in _MARKUP:
        return f"<!-- {text} -->\n"
    return f"// {text}\n"


def _other_file(path: str, text: str, language: str, fim: FillInTheMiddle) -> str:
    if fim.file_separator:
        return f"{fim.file_separator}{path}\n{text}\n"
    return comment(path, language) + text + "\n\n"
