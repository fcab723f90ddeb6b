"""From a context to the prompt string, by the model's own markers, which are data.

The prompt leaves out the word that is being typed and the blank before it, and the answer must begin with them.
Tokenizers join a space to the word after it, so a prompt that ends in one asks the model for something it has never
seen. Source of the idea: token healing, after G. Lundberg's "The Art of Prompt Design: Prompt Boundaries and Token
Healing", 2023.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pointsman.complete.context import Context
from pointsman.models.card import FillInTheMiddle
from pointsman.models.prompting import neutralise

_HASH = {"python", "ruby", "bash", "yaml", "toml", "r", "perl", "make", "dockerfile", "elixir"}
_DASH = {"sql", "lua", "haskell"}
_FENCES = {"markdown", "restructuredtext"}
_MARKUP = {"html", "xml", "markdown", "vue", "svelte"}

_HELD_BACK = re.compile(r"[ \t]?(?:[^\W\d]\w{0,40})?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    text: str
    held_back: str
    """What stands before the cursor and `text` lacks; the answer must begin with it."""
    solid: bool
    """Whether no white space may follow that."""
    stop: tuple[str, ...]
    """What ends an answer in this language, whatever its scope."""


def build_prompt(
    context: Context,
    *,
    path: str,
    language: str,
    repository: str = "",
    fim: FillInTheMiddle | None,
    special_tokens: tuple[str, ...],
    begin: str = "",
) -> Prompt:
    """Stable parts first: other files, the path, then the text up to the cursor. `begin` opens a plain prompt."""

    def safe(text: str) -> str:
        return neutralise(text, special_tokens)

    # Instruction-tuned models close a code block when they take the code for a conversation.
    stop = () if language in _FENCES else ("```",)
    line = context.before[context.before.rfind("\n") + 1 :]
    held_back = _HELD_BACK.search(line)[0]  # type: ignore[index]
    solid = not line.strip() or line[-1].isspace()
    before = safe(context.before[: len(context.before) - len(held_back)])
    if fim is None:
        text = begin + comment(safe(path), language) + before
        return Prompt(text=text, held_back=held_back, solid=solid, stop=stop)
    others = "".join(_other_file(safe(c.path), safe(c.text), language, fim) for c in context.chunks)
    head = f"{fim.file_separator}{safe(path)}\n" if fim.file_separator else ""
    if fim.repo_name and others and repository:
        others = f"{fim.repo_name}{safe(repository)}\n{others}"
    name = "" if fim.file_separator else comment(safe(path), language)
    left, right = f"{fim.prefix}{name}{before}", f"{fim.suffix}{safe(context.after)}"
    middle = f"{left}{right}" if fim.order == "psm" else f"{right}{left}"
    return Prompt(text=f"{others}{head}{middle}{fim.middle}", held_back=held_back, solid=solid, stop=stop)


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
