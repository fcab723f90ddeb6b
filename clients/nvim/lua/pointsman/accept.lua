--- What the keys do with ghost text: take all, a word or a line of it, go to the next, drop it.
local held = require('pointsman.held')
local native = require('pointsman.native')
local suggestion = require('pointsman.suggestion')

local M = {}

--- Tell the server what was taken. Its own command is for the whole item; parts have a notification.
local function report(s, taken, all)
  local send = require('pointsman.client')
  local client = send.by_id(s.client_id)
  if not client then
    return
  end
  if all and s.item.command then
    send.send(client, 'workspace/executeCommand', {
      command = s.item.command.command,
      arguments = s.item.command.arguments,
    }, function() end, s.bufnr)
  elseif not all then
    send.notify(client, 'textDocument/didPartiallyAcceptCompletion', {
      item = s.item,
      acceptedLength = vim.fn.strutf16len(suggestion.whole(s.item):sub(1, s.done + taken)),
    })
  end
end

--- Write `kind` of `s` at the cursor, and keep showing what is left of it.
---@param s pointsman.Suggestion
---@param kind 'all'|'word'|'line'
local function write(s, kind)
  local fit = suggestion.fit(s)
  if not fit then
    return
  end
  local part = suggestion.part(fit.rest, kind)
  local covered = suggestion.covered(fit, part)
  local lines = vim.split(part, '\n', { plain = true })
  local undo_step = 'let &l:undolevels = &l:undolevels'
  vim.cmd(undo_step)
  vim.api.nvim_buf_set_text(s.bufnr, fit.row, fit.col, fit.row, fit.col + covered, lines)
  vim.cmd(undo_step) -- what is typed next is another
  local row = fit.row + #lines - 1
  local col = (#lines == 1 and fit.col or 0) + #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + 1, col })
  local all = part == fit.rest
  local taken = #s.text - #fit.rest + #part
  report(s, taken, all)
  if not all then
    held.show({
      {
        bufnr = s.bufnr,
        client_id = s.client_id,
        item = s.item,
        text = s.text:sub(taken + 1),
        row = row,
        first = col,
        last = col + math.max(fit.last - fit.col - covered, 0),
        line = vim.api.nvim_get_current_line(),
        col = col,
        done = s.done + taken,
      },
    })
  end
end

--- Accept. False when there is nothing on the screen, so that a mapping can do what it did before.
---@param kind 'all'|'word'|'line'
---@return boolean
function M.accept(kind)
  local s = held.current()
  if s then
    -- An expression mapping may not change text.
    vim.schedule(function()
      held.clear()
      write(s, kind)
    end)
    return true
  end
  return native.available()
    and native.take(function(found)
      write(found, kind)
    end)
end

--- Whether the key for a tab stop should stay one: the cursor stands in front of its line's first character, and the
--- suggestion would only indent it.
---@return boolean
function M.would_indent()
  local s = held.current() or native.available() and native.first() or nil
  local here = require('pointsman.replies').here()
  return s ~= nil and here.line:sub(1, here.col):match('^%s*$') ~= nil and s.text:match('^%s') ~= nil
end

--- Show another suggestion. The first time the server is asked for more than one. False where no server helps, so that
--- a mapping can do what it did before.
---@param step 1|-1
---@return boolean
function M.cycle(step)
  if held.cycle(step) then
    return true
  end
  local client = require('pointsman.client').attached(0)
  if not client or require('pointsman.pause').paused(0) then
    return false
  end
  local before = native.available() and native.first() or held.current()
  require('pointsman.typing').request(client, 1, function(list)
    if #list == 0 then
      return
    end
    if native.available() then
      native.dismiss()
    end
    local same = before and list[1].text == before.text and #list > 1
    vim.schedule(function()
      held.show(list, same and (step == 1 and 2 or #list) or 1)
    end)
  end)
  return true
end

--- Take ghost text off the screen. False when there was none.
---@return boolean
function M.dismiss()
  local had = held.current() ~= nil
  held.clear()
  return (native.available() and native.dismiss()) or had
end

return M
