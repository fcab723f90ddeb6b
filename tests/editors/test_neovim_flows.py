"""Questions and refactors in a real, headless Neovim with the real model."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.conftest import Home, fresh_home

from .closed_author import Author
from .neovim_editor import wait
from .neovim_fixtures import Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = pytest.mark.model

Granted = tuple[Author, Home]

_FLOATS = """
function()
  return vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_config(window).relative ~= ''
  end, vim.api.nvim_list_wins())
end
"""
_TEXT_OF_FLOAT = """
function(window)
  return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false), ' ')
end
"""


def test_a_question_its_citation_from_the_quickfix_list_and_from_the_chat(nvim: Open, repository: Path) -> None:
    with nvim("shop/inventory.py") as editor:
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        chat = "vim.fn.bufnr('pointsman://chat')"
        text = f"table.concat(vim.api.nvim_buf_get_lines({chat}, 0, -1, false), '\\n')"
        editor.wait("the answer", f"{chat} ~= -1 and {text}:find('_local ', 1, true)")
        (first, *_) = editor.lua("return vim.fn.getqflist()")
        title = editor.lua("return vim.fn.getqflist({ title = 1 }).title")
        assert title == "Pointsman: how is a discount taken off a total?"
        editor.press(":cc 1<CR>")
        editor.wait("the cited file", "vim.fn.expand('%:t') == 'cart.py'")
        assert editor.lua("return vim.fn.line('.')") == first["lnum"]
        assert "apply_discount" in "\n".join(editor.lines()[first["lnum"] - 1 : first["end_lnum"]])

        editor.press(":edit shop/inventory.py<CR>")
        editor.lua(f"vim.api.nvim_set_current_win(vim.fn.bufwinid({chat})) return true")
        editor.press("gg/^\\[1\\]<CR>")
        editor.press("<CR>")
        editor.wait("the cited file", "vim.fn.expand('%:t') == 'cart.py'")


def test_a_refactor_is_shown_taken_by_hunk_and_undone(nvim: Open, repository: Path) -> None:
    path = repository / "shop" / "bare.py"
    path.write_text("def subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py") as editor:
        editor.press(":1,2Pointsman refactor add a docstring<CR>")
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
        proposed = editor.lines()
        assert '"""' in proposed[1] and proposed[-1] == "    return a - b"
        wanted = "vim.fn.getbufline(vim.fn.bufnr('bare.py'), 1, '$')"
        assert editor.lua(f"return {wanted}") == ["def subtract(a, b):", "    return a - b"], "nothing is applied yet"
        editor.press("a")
        editor.wait("the change", f"#{wanted} > 2")
        assert editor.lua(f"return {wanted}") == proposed
        editor.press("q")
        editor.wait("the end of the review", "#vim.api.nvim_list_tabpages() == 1")
        editor.press("u")
        editor.wait("the file as it was", f"#{wanted} == 2")


def test_a_refactor_is_declined_or_taken_whole_as_one_step(nvim: Open, repository: Path) -> None:
    path = repository / "shop" / "bare.py"
    path.write_text("def subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py") as editor:
        for key, lines in (("q", 2), ("A", 3)):
            editor.press(":1,2Pointsman refactor add a docstring<CR>")
            editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
            editor.press(key)
            editor.wait("the end of the review", "#vim.api.nvim_list_tabpages() == 1")
            assert len(editor.lines()) >= lines and (key == "A" or len(editor.lines()) == 2)
        editor.press("u")
        editor.wait("the file as it was", "vim.api.nvim_buf_line_count(0) == 2")


def test_taking_all_asks_first_where_the_file_was_edited_since(nvim: Open, repository: Path) -> None:
    path = repository / "shop" / "bare.py"
    path.write_text("def subtract(a, b):\n    return a - b\n")
    answer = "vim.fn.confirm = function(text) _G.asked = text return {} end return true"
    text = "table.concat(vim.fn.getbufline(vim.fn.bufnr('bare.py'), 1, '$'), '\\n')"
    with nvim("shop/bare.py") as editor:
        editor.press(":1,2Pointsman refactor add a docstring<CR>")
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
        editor.lua("vim.api.nvim_buf_set_lines(vim.fn.bufnr('bare.py'), -1, -1, false, { 'mine = 1' }) return true")
        editor.lua(answer.format(2))
        editor.press("A")
        editor.wait("the question", "_G.asked and _G.asked:find('was edited since', 1, true)")
        assert "mine = 1" in editor.lua(f"return {text}") and editor.lua("return #vim.api.nvim_list_tabpages()") == 2
        editor.lua(answer.format(1))
        editor.press("A")
        editor.wait("the end", "#vim.api.nvim_list_tabpages() == 1")
        assert "mine = 1" not in editor.lua(f"return {text}") and '"""' in editor.lua(f"return {text}")


def test_status_explanation_and_receipts(nvim: Open) -> None:
    with nvim() as editor:
        editor.press(":Pointsman status<CR>")
        floats = f"({_FLOATS})()"
        shown = f"({_TEXT_OF_FLOAT})({floats}[1] or 0)"
        editor.wait("the status", f"#{floats} == 1 and {shown}:find('host', 1, true)")
        editor.press("Go<CR>def subtract(a, b):<CR>return ")
        editor.wait("an answer", "require('pointsman.native').first()")
        editor.press("<Esc>:Pointsman explain<CR>")
        editor.wait("the explanation", f"#{floats} == 1 and {shown}:find('model', 1, true)")
        editor.press("<Esc>:Pointsman audit<CR>")
        editor.wait("the receipts", "vim.api.nvim_buf_get_name(0):find('pointsman://audit', 1, true)")
        assert editor.lines() == ["nothing was ever sent or refused"]
        editor.press(":Pointsman audit show nowhere<CR>")
        editor.wait("why not", "vim.fn.execute('messages'):find('no audit record', 1, true)")


def test_a_repository_is_trusted_when_the_user_says_so(nvim: Open, home: Home, repository: Path) -> None:
    def trusted() -> bool:
        known: bool = home.run("policy", "show", repository, "--json").json["trusted"]
        return known

    answer = "vim.fn.confirm = function(text) _G.asked = text return {} end return true"
    inner = repository / "vendor" / "ledger"
    inner.mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=inner, check=True)
    with nvim() as editor:
        uri = f"vim.uri_from_fname('{inner / 'cart.py'}')"
        document = f"{{ uri = {uri}, languageId = 'python', version = 0, text = '' }}"
        client = "require('pointsman.client')"
        opened = f"{client}.notify({client}.all()[1], 'textDocument/didOpen', {{ textDocument = {document} }})"
        editor.lua(f"{opened} return true")  # of a repository inside of this window's
        editor.lua(answer.format(2))
        editor.press(":Pointsman trust<CR>")
        editor.wait("the question", f"_G.asked and _G.asked:find('Trust {repository}, {inner}?', 1, true)")
        assert not trusted()
        editor.lua(answer.format(1))
        editor.press(":Pointsman trust<CR>")
        editor.wait("the word of it", "vim.fn.execute('messages'):find('trusted /', 1, true)")
        assert trusted()
        assert editor.lua("return vim.fn.execute('messages')").count(f"trusted {repository}, {inner}") == 1


def test_a_code_action_comes_for_review(nvim: Open, repository: Path) -> None:
    path = repository / "shop" / "bare.py"
    path.write_text("def subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py") as editor:
        editor.lua(
            "vim.schedule(function() vim.lsp.buf.code_action({ apply = true, context = { only = { 'source' },"
            " diagnostics = {} }, filter = function(action) return action.title:find('docstring') end,"
            " range = { start = { 1, 0 }, ['end'] = { 2, 16 } } }) end) return true"
        )
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
        assert "smollm2-135m" in editor.lua("return vim.wo.winbar"), "it says which model made it"
        assert editor.lua("return vim.fn.getbufline(vim.fn.bufnr('bare.py'), 1, '$')") == path.read_text().splitlines()
        editor.press("A")
        editor.wait("the change", "#vim.api.nvim_list_tabpages() == 1 and vim.api.nvim_buf_line_count(0) > 2")
        assert '"""' in editor.lines()[1]


def test_docs_are_written_for_the_definition_under_the_cursor_or_for_lines(nvim: Open, repository: Path) -> None:
    path = repository / "shop" / "bare.py"
    path.write_text("x = 1\n\n\ndef subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py") as editor:
        editor.press(":Pointsman docs<CR>")
        editor.wait("the hint", "vim.fn.execute('messages'):find('in no definition', 1, true)")
        for command in (":5<CR>:Pointsman docs<CR>", ":4,5Pointsman docs<CR>"):
            editor.press(command)
            editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
            assert '"""' in editor.lines()[4]
            editor.press("q")
            editor.wait("the end", "#vim.api.nvim_list_tabpages() == 1")


_SEVERAL = """
local function insertion(line, text)
  local place = { line = line, character = 0 }
  return { range = { start = place, ['end'] = place }, newText = text, annotationId = 'pointsman' }
end
local function uri(path)
  return vim.uri_from_fname(root .. '/' .. path)
end
local client = require('pointsman.client').all()[1]
local cart = vim.fn.bufnr('cart.py')
local edit = {
  changeAnnotations = { pointsman = { label = 'Pointsman (local, scripted)', needsConfirmation = true } },
  documentChanges = {
    {
      textDocument = { uri = uri('shop/cart.py'), version = vim.lsp.util.buf_versions[cart] },
      edits = { insertion(0, '# first\\n'), insertion(21, '# second\\n') },
    },
    { textDocument = { uri = uri('shop/inventory.py'), version = vim.NIL }, edits = { insertion(0, '# third\\n') } },
    { kind = 'create', uri = uri('shop/made.py') },
    { textDocument = { uri = uri('shop/made.py'), version = vim.NIL }, edits = { insertion(0, 'made = 1\\n') } },
  },
}
return client.handlers['workspace/applyEdit'](nil, { edit = edit }, { client_id = client.id }, {})
"""
"""What the handler answers when the server offers one change of three files. `root` is the repository."""


def test_a_change_of_several_files_is_taken_by_hunk_and_by_file(nvim: Open, repository: Path) -> None:
    cart, inventory, made = (repository / "shop" / name for name in ("cart.py", "inventory.py", "made.py"))
    before = [cart.read_text().splitlines(), inventory.read_text().splitlines()]
    texts = "vim.tbl_map(function(name) return vim.fn.getbufline(vim.fn.bufnr(name), 1, '$') end, names)"
    names = ["cart.py", "inventory.py", "made.py"]
    with nvim("shop/cart.py") as editor:
        answer = editor.lua(_SEVERAL, root=str(repository))
        assert answer["applied"] is False, "nothing is applied before the user took it"
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 4 and vim.wo.winbar:find('A: take', 1, true)")
        assert editor.lua(f"return {texts}", names=names) == [*before, [""]]
        editor.press("A")  # the last tab, made.py
        editor.wait("the file that is made", "#vim.api.nvim_list_tabpages() == 3")
        editor.press("q")  # inventory.py is declined
        editor.wait("the next", "#vim.api.nvim_list_tabpages() == 2")
        editor.press("gg]ca")  # the second hunk of cart.py, and not the first
        editor.wait("the hunk", "#vim.fn.getbufline(vim.fn.bufnr('cart.py'), 1, '$') == size", size=len(before[0]) + 1)
        editor.press("q")
        editor.wait("the end", "#vim.api.nvim_list_tabpages() == 1")
        taken = [*before[0][:21], "# second", *before[0][21:]]
        declined = editor.lua("return vim.fn.bufexists(name)", name=names[1])
        assert declined == 0, "a file that was not open and is declined is forgotten"
        assert editor.lua(f"return {texts}", names=names) == [taken, [], ["made = 1"]]
        assert not made.exists()
        editor.press(":wall<CR>")
        editor.wait("the files", "vim.fn.filereadable(path) == 1", path=str(made))
        assert made.read_text() == "made = 1\n" and inventory.read_text().splitlines() == before[1]
        editor.press("u")
        editor.wait(
            "the hunk undone", "vim.deep_equal(vim.fn.getbufline(vim.fn.bufnr('cart.py'), 1, '$'), old)", old=before[0]
        )
        assert "is there already" in editor.lua(_SEVERAL, root=str(repository))["failureReason"]


@pytest.fixture
def author(fresh_home: Callable[..., Home], httpserver: HTTPServer) -> Granted:
    """A closed model that renames `reserve` and writes tests, for a home where the repository may be trusted."""
    made = Author(httpserver, lambda code: code.replace("reserve(", "take_out("), made="def test_it():\n    pass\n")
    return made, fresh_home()


_TEXT = "vim.fn.getbufline(vim.fn.bufnr(name), 1, '$')"


def test_the_buffer_and_the_files_of_the_quickfix_list_are_changed_together(
    nvim: Open, repository: Path, author: Granted
) -> None:
    writer, home = author
    writer.grant(home)
    home.run("policy", "trust", repository)
    before = [(repository / "shop" / name).read_text().splitlines() for name in ("cart.py", "inventory.py")]
    with nvim("shop/cart.py", at=home) as editor:
        editor.press(":Pointsman refactor! rename reserve to take_out<CR>")
        messages = "vim.api.nvim_exec2('messages', { output = true }).output"
        editor.wait("the reason", f"{messages}:find('quickfix list names no other file', 1, true)")
        editor.press(":noautocmd vimgrep /reserve/j shop/*.py<CR>")
        editor.press(":Pointsman refactor! rename reserve to take_out<CR>")
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 3 and vim.wo.winbar:find('A: take', 1, true)")
        assert [editor.lua(f"return {_TEXT}", name=name) for name in ("cart.py", "inventory.py")] == before
        editor.press("A")
        editor.wait("the other file", "#vim.api.nvim_list_tabpages() == 2")
        editor.press("A")
        editor.wait("the end", "#vim.api.nvim_list_tabpages() == 1")
        after = [[line.replace("reserve(", "take_out(") for line in lines] for lines in before]
        assert [editor.lua(f"return {_TEXT}", name=name) for name in ("cart.py", "inventory.py")] == after
    assert len(writer.bodies) == 1


_BODY = "vim.api.nvim_buf_get_name(0):find('pointsman://outgoing', 1, true) and vim.fn.exists(':Send') == 2"
_ACTION = (
    "vim.schedule(function() vim.lsp.buf.code_action({ apply = true, context = { only = { 'source' },"
    " diagnostics = {} }, filter = function(action) return action.title:find(wanted) end,"
    " range = { start = { 38, 0 }, ['end'] = { 42, 10 } } }) end) return true"
)


def test_tests_are_written_into_a_new_file_after_review(nvim: Open, repository: Path, author: Granted) -> None:
    writer, home = author
    writer.grant(home)
    home.run("policy", "trust", repository)
    made = repository / "tests" / "test_cart.py"
    with nvim("shop/cart.py", at=home) as editor:
        editor.press(":40<CR>:Pointsman tests<CR>")
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
        assert editor.lines() == ["def test_it():", "    pass"] and not made.exists()
        editor.press("A")
        editor.wait("the end", "#vim.api.nvim_list_tabpages() == 1")
        assert editor.lua("return vim.fn.buflisted(path)", path=str(made)) == 1, "nobody sees that it is to be written"
        editor.press(":wall<CR>")
        editor.wait("the file", "vim.fn.filereadable(path) == 1", path=str(made))
        assert made.read_text() == "def test_it():\n    pass\n"


def test_the_body_of_a_code_action_is_shown_and_asked_about_where_policy_wants_that(
    nvim: Open, repository: Path, author: Granted
) -> None:
    writer, home = author
    writer.grant(home, outbound="always")
    home.run("policy", "trust", repository)
    with nvim("shop/cart.py", at=home) as editor:
        editor.lua(_ACTION, wanted="Write tests")
        editor.wait("the body", _BODY)
        assert ":Send sends exactly this to big-1 at vendor" in editor.lua("return vim.wo.winbar")
        editor.press("sy<CR>q")  # what was typed for something else sends nothing
        editor.wait("the refusal", "#vim.api.nvim_list_tabpages() == 1")
        assert writer.bodies == []
        editor.lua(_ACTION, wanted="Write tests")
        editor.wait("the body", _BODY)
        shown = "\n".join(editor.lines())
        editor.press(":Send<CR>")
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
        assert editor.lines() == ["def test_it():", "    pass"]
        (body,) = writer.bodies
        assert shown == body


def test_what_would_leave_for_a_question_is_shown_and_asked_about(
    nvim: Open, repository: Path, author: Granted
) -> None:
    writer, home = author
    writer.grant(home, outbound="always")
    home.run("policy", "trust", repository)
    with nvim("shop/inventory.py", at=home) as editor:
        chat = "vim.fn.bufnr('pointsman://chat')"
        text = f"table.concat(vim.api.nvim_buf_get_lines({chat}, 0, -1, false), '\\n')"
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        editor.wait("the body", _BODY)
        editor.press("q")
        editor.wait("the refusal", f"{chat} ~= -1 and {text}:find('nothing was sent', 1, true)")
        assert writer.bodies == []
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        editor.wait("the body", _BODY)
        editor.press(":Send<CR>")
        editor.wait("the receipt", f"{text}:find('bytes left for vendor, receipt', 1, true)")
        shown = editor.lua(f"return {text}")
        assert "rounding half a cent" in shown and "_closed big-1" in shown and "shop/cart.py" in shown
    assert len(writer.bodies) == 1


class _Slow(Author):
    """Lets an answer wait."""

    go_on = threading.Event()

    def _answer(self, request: Request) -> Response:
        answer = super()._answer(request)
        self.go_on.wait(60)
        return answer


def test_what_had_left_for_a_question_that_was_stopped_is_told(
    nvim: Open, repository: Path, fresh_home: Callable[..., Home], httpserver: HTTPServer
) -> None:
    writer, home = _Slow(httpserver, lambda code: code), fresh_home()
    writer.grant(home)
    home.run("policy", "trust", repository)
    try:
        with nvim("shop/inventory.py", at=home) as editor:
            chat = "vim.fn.bufnr('pointsman://chat')"
            text = f"table.concat(vim.api.nvim_buf_get_lines({chat}, 0, -1, false), '\\n')"
            editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
            wait("the request", lambda: writer.bodies, told=editor.state)
            editor.lua("require('pointsman.chat').stop() return true")
            told = f"{text}:find('_stopped; meanwhile %d+ bytes left for vendor, receipt %S+_')"
            editor.wait("what had left", told)
    finally:
        writer.go_on.set()
