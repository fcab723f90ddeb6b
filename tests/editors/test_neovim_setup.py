"""Options, arguments and servers that are wrong, and windows that say how things are."""

from __future__ import annotations

from pathlib import Path

import pytest

from .neovim_editor import Neovim, headless, init_file, wait
from .neovim_fixtures import Fixed, Open, fixed, fixed_home, home, installed, nvim, older_program, repository
from .neovim_install import Editors

pytestmark = pytest.mark.model

_MESSAGES = "vim.api.nvim_exec2('messages', { output = true }).output"
_FAULTS = {
    "'x'": "the options are",
    "{ keys = true }": "keys is true, but must be a table or false",
    "{ keys = 'x' }": "keys is",
    "{ keys = { accept = '' } }": "keys.accept is",
    "{ keys = { take = 'x' } }": "keys.take is",
    "{ chat = { pos = 1 } }": "chat.pos is",
    "{ chat = { position = 'middle' } }": "chat.position is",
    "{ chat = { size = 'x' } }": "chat.size is",
    "{ chat = { size = -5 } }": "chat.size is",
    "{ chat = 'x' }": "chat is",
    "{ init_options = 'x' }": "init_options is",
    "{ cmd = {} }": "cmd is",
    "{ sugest = true }": "sugest is",
}
_FLOATS = """
return vim.iter(vim.api.nvim_list_wins()):filter(function(window)
  return vim.api.nvim_win_get_config(window).relative ~= ''
end):map(function(window)
  return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false), ' ')
end):totable()
"""


def _said(editor: Neovim, command: str, words: str) -> None:
    editor.press(f":messages clear<CR>:{command}<CR>")
    editor.wait(words, f"{_MESSAGES}:find(words, 1, true)", words=words)


def test_an_option_that_is_wrong_is_told_and_nothing_starts(
    installed: Editors, fixed: Fixed, repository: Path, tmp_path: Path
) -> None:
    init = init_file(tmp_path, ["sleep", "60"])
    setup = "require('pointsman').setup"
    init.write_text(init.read_text().replace(setup, f"_G.setup = {setup} --"))
    place = (init, repository / "shop" / "cart.py", fixed.home.environment, repository)
    with headless(installed.neovim, *place) as editor:
        editor.wait("Neovim", "vim.v.vim_did_enter == 1")
        for options, fault in _FAULTS.items():
            editor.lua("vim.cmd('messages clear') return true")
            editor.lua(f"_G.setup({options}) return true")
            told = editor.wait(fault, f"{_MESSAGES} ~= '' and {_MESSAGES}")
            assert told.startswith(f"Pointsman is not started:\n{fault}"), told
            assert told.count("\n") == 1, told
        assert editor.lua("return #vim.api.nvim_get_autocmds({ event = 'FileType' })") == editor.lua(
            "return #vim.tbl_filter(function(a) return a.group_name ~= 'pointsman.client' end,"
            " vim.api.nvim_get_autocmds({ event = 'FileType' }))"
        )
        taken = "require('pointsman.config').current.exclude_filetypes"
        editor.lua("_G.setup({ exclude_filetypes = {}, cmd = { 'sleep', '60' } }) return true")
        assert editor.lua(f"return #{taken}") == 0, "an empty list is one"


@pytest.mark.parametrize("older", ["", "0.10"])
def test_a_server_that_is_starting_says_so(
    installed: Editors, fixed: Fixed, repository: Path, tmp_path: Path, older: str
) -> None:
    program = older_program(older) if older else installed.neovim
    place = (repository / "shop" / "cart.py", fixed.home.environment, repository)
    with headless(program, init_file(tmp_path, ["sleep", "60"]), *place) as editor:
        editor.wait("Neovim", "vim.v.vim_did_enter == 1")
        _said(editor, "Pointsman status", "the server is starting; ask again in a moment")
        editor.press(":checkhealth pointsman<CR>")
        editor.wait(
            "the report", "vim.bo.filetype == 'checkhealth' and vim.fn.search('a server is starting', 'nw') > 0"
        )


def test_a_server_that_is_not_installed_is_told_once_with_the_remedy(
    installed: Editors, fixed: Fixed, repository: Path, tmp_path: Path
) -> None:
    place = (repository / "shop" / "cart.py", fixed.home.environment, repository)
    with headless(installed.neovim, init_file(tmp_path, ["/no/pointsman", "serve"]), *place) as editor:
        editor.wait("Neovim", "vim.v.vim_did_enter == 1")
        editor.press(":edit shop/inventory.py<CR>")
        editor.wait("the other file", "vim.fn.expand('%:t') == 'inventory.py'")
        told = editor.wait("the words", f"{_MESSAGES} ~= '' and {_MESSAGES}")
        words = 'Pointsman: no program "/no/pointsman"; install it or set cmd, see :checkhealth pointsman'
        assert told.count(words) == 1 and "traceback" not in told
        _said(editor, "Pointsman status", words)


def test_words_that_mean_nothing_are_told(nvim: Open, fixed: Fixed) -> None:
    with nvim(at=fixed.home) as editor:
        editor.press(":call setqflist([])<CR>")
        _said(editor, "Pointsman pause nonsense", "nonsense cannot stand after pause; buffer or filetype can")
        assert editor.lua("return require('pointsman.pause').paused(0)") is False
        for name in ("status", "docs", "tests", "trust", "chat"):
            _said(editor, f"Pointsman {name} now", f"now cannot stand after {name}; nothing can")
        _said(editor, "Pointsman explain why this", "explain takes a question only with lines")
        editor.lua("vim.ui.input = function() _G.asked = true end return true")
        _said(editor, "Pointsman refactor!", "the quickfix list names no other file")
        assert editor.lua("return _G.asked == nil")


def test_the_status_is_shown_anew_and_not_the_explanation(nvim: Open, fixed: Fixed) -> None:
    fixed.answers = {"rebate =": [" price"]}
    with nvim(at=fixed.home) as editor:
        editor.press("Gorebate =")
        wait("ghost text", editor.ghost, told=editor.state)
        editor.press("<Esc>:Pointsman explain<CR>")
        wait("the explanation", lambda: "suggestion(s)" in "".join(editor.lua(_FLOATS) or []), told=editor.state)
        editor.press(":Pointsman status<CR>")
        wait("the status", lambda: "host" in "".join(editor.lua(_FLOATS) or []), told=editor.state)
        assert len(editor.lua(_FLOATS)) == 1
        editor.press(":Pointsman pause<CR>:Pointsman status<CR>")
        wait("it anew", lambda: "is paused here" in "".join(editor.lua(_FLOATS) or []), told=editor.state)


def test_the_chat_below_leaves_the_file_room_and_comes_back(nvim: Open, fixed: Fixed) -> None:
    extra = "package.preload.below = function() require('pointsman.config').current.chat.position = 'below' end"
    chat = "vim.fn.bufwinid('pointsman://chat')"
    with nvim("shop/inventory.py", at=fixed.home, extra=extra) as editor:
        _said(editor, "Pointsman chat", "nothing was asked yet")
        editor.lua("require('below') return true")
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        editor.wait("the chat", f"{chat} ~= -1")
        assert editor.lua(f"return vim.api.nvim_win_get_height({chat})") == editor.lua(
            "return math.floor(vim.o.lines / 3)"
        )
        editor.lua(f"vim.api.nvim_set_current_win({chat}) return true")
        editor.press("q")
        editor.wait("its end", f"{chat} == -1")
        editor.press(":Pointsman chat<CR>")
        editor.wait("it again", f"{chat} == vim.api.nvim_get_current_win()")
        assert editor.lines()[0] == "## how is a discount taken off a total?"
