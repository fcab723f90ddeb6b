"""Ten characters a second into a file of 5,000 lines, while answers come early, late and out of order: what stands on
the screen after each redraw. With Neovim's own inline completion, and with the plugin's on Neovim 0.10 and 0.11.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from pathlib import Path

import pytest

from .neovim_editor import init_file
from .neovim_fixtures import SERVE, Fixed, fixed, fixed_home, home, installed, older_program, repository
from .neovim_install import Editors
from .neovim_typist import RECORD, Typist, at_terminal

pytestmark = pytest.mark.model

EVERY = 0.1
PAUSES = (0.23, 0.0, 0.5)
"""After a word, in turns: long enough for Neovim to ask, and after the last of them what it asked for is waited for,
so that suggestions are seen on a slow machine too."""
TEXT = """\
def settle(ledger, amount):
    total = gather(ledger.entries[amount], key=lambda entry: entry.due)
    return publish(total - amount, {"due": total})
"""
PAIRS = """
vim.o.autoindent = false
vim.cmd('filetype indent off')
for open, close in pairs({ ['('] = ')', ['['] = ']', ['{'] = '}' }) do
  vim.keymap.set('i', open, open .. close .. '<Left>')
  vim.keymap.set('i', close, function()
    local col = vim.fn.col('.')
    return vim.fn.getline('.'):sub(col, col) == close and '<Right>' or close
  end, { expr = true })
end
"""
"""What an auto-pairing plugin does."""


class Author:
    """Answers with the rest of the line that is being typed, every other time with another end; early or late."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._draw = random.Random(7)
        self._lock = threading.Lock()
        self._asked = 0

    def __call__(self, prompt: str) -> str:
        typed = prompt.rsplit("\n", 1)[-1]
        with self._lock:
            self._asked += 1
            number, delay = self._asked, self._draw.choice((0.0, 0.15, 0.3, 0.7))
        time.sleep(delay)
        rest = next((line for line in self._lines if line.startswith(typed)), typed)[len(typed) :]
        return rest if number % 2 else f"{rest[:5]}other{number})"


def long_file(lines: int) -> str:
    """Python of which no two functions are alike, so that nothing in it foretells what is typed."""
    draw = random.Random(5)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(3, 9))) for _ in range(3000)]
    made: list[str] = []
    while len(made) < lines:
        name, first, second, third = draw.sample(words, 4)
        made += [f"def {name}({first}):", f"    {second} = {first}.{third}", f"    return {second}", "", ""]
    return "\n".join(made[:lines]) + "\n"


def type_text(typist: Typist, row: int, text: str, every: float = EVERY) -> list[tuple[int, int, int]]:
    """Type `text` from the start of line `row`, 0-based. Each key with when it was pressed and where it leads."""
    keys, col, pause = [], 0, 0
    for char in text:
        row, col = (row + 1, 0) if char == "\n" else (row, col + 1)
        keys.append((typist.key(char), row, col))
        time.sleep(every)
        if char in " .(":
            time.sleep(PAUSES[pause])
            if pause == len(PAUSES) - 1:
                typist.answered()
            pause = (pause + 1) % len(PAUSES)
    return keys


@pytest.mark.parametrize("older", ["", "0.11", "0.10"])
def test_nothing_that_was_is_shown_again_and_no_bracket_twice(
    older: str, installed: Editors, fixed: Fixed, repository: Path, tmp_path: Path
) -> None:
    fixed.author = Author(TEXT)
    file = repository / "shop" / "long.py"
    file.write_text(long_file(5000))
    folder = tmp_path / "nvim"
    folder.mkdir()
    init = init_file(folder, SERVE, PAIRS + RECORD)
    program = older_program(older) if older else installed.neovim
    with at_terminal(program, init, file, fixed.home.environment, repository) as typist:
        typist.attached()
        for key in "Go":
            typist.key(key)
        typist.editor.wait("insert mode", "vim.api.nvim_get_mode().mode == 'i'")
        typist.frames()
        type_text(typist, 5000, TEXT)
        typist.editor.wait("all of it", "vim.api.nvim_buf_line_count(0) == 5004")
        frames, offered = typist.frames(), typist.offered()
        assert typist.editor.lines()[5000:5003] == TEXT.splitlines()
    shown = [frame for frame in frames if frame.seen]
    assert len(shown) > 20, "there was hardly any ghost text"
    assert not [(frame.line, frame.seen) for frame in shown if frame.seen not in offered]
    runs = [seen for seen, _ in itertools.groupby(frame.seen for frame in frames)]
    assert len(set(runs)) > 4, "suggestions did not change"
    assert [seen for i, seen in enumerate(runs) if seen and seen in runs[:i]] == [], "came back after something newer"
