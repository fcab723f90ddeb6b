"""The plugin on a terminal's screen, as a user sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .neovim_editor import wait
from .neovim_fixtures import Fixed, Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = pytest.mark.model


def test_ghost_text_on_the_screen_by_word_and_by_tab(nvim: Open, fixed: Fixed, repository: Path) -> None:
    fixed.answers = {"rebate =": [" price * quantity"]}
    with nvim(at=fixed.home, terminal=True) as editor:
        editor.press("G o")
        editor.press("r e b a t e Space =")
        wait("ghost text", lambda: "rebate = price * quantity" in editor.screen(), told=editor.screen)
        editor.press("M-w")
        editor.wait("a word", "vim.api.nvim_get_current_line() == 'rebate = price'")
        wait("the rest", lambda: "rebate = price * quantity" in editor.screen(), told=editor.screen)
        editor.press("Tab")
        editor.wait("all", "vim.api.nvim_get_current_line() == 'rebate = price * quantity'")
        editor.press("Escape")
        editor.press(": w Enter")
        cart = repository / "shop" / "cart.py"
        wait("the saved file", lambda: cart.read_text().endswith("rebate = price * quantity\n"))


def test_a_question_and_a_refactor_on_the_screen(nvim: Open, fixed: Fixed, repository: Path) -> None:
    fixed.answers = {
        "Question: how is a discount": ["The function apply_discount takes percent off a total [1]."],
        "subtract(a, b)": ["Return a without b."],
    }
    (repository / "shop" / "bare.py").write_text("def subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py", at=fixed.home, terminal=True) as editor:
        editor.lua("vim.cmd('Pointsman ask how is a discount taken off a total?') return true")
        wait("the answer", lambda: "cart.py:" in editor.screen() and "_local" in editor.screen(), told=editor.screen)
        editor.press(": c c Space 1 Enter z t")  # with the cited lines from the top of the window on
        wait("the cited place", lambda: '"""Take percent off' in editor.screen(), told=editor.screen)
        editor.lua("vim.cmd('edit shop/bare.py') vim.cmd('only') return true")
        editor.lua("vim.cmd('1,2Pointsman refactor add a docstring') return true")
        wait("the diff", lambda: "A: take all" in editor.screen(), told=editor.screen)
        editor.press("A")
        wait("the change", lambda: '"""' in editor.screen() and "A: take" not in editor.screen(), told=editor.screen)
        editor.press("u")
        wait("the file as it was", lambda: '"""' not in editor.screen(), told=editor.screen)
