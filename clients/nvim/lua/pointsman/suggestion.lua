--- A suggestion as it stands in a buffer, and what of it is still to be written. Pure but for reading the line.
---
--- The server's answer names a range on the line as it was. Since then the user may have typed a part of it, and an
--- auto-pairing plugin may have closed a bracket: both are told from the line, so that nothing is written twice.
local M = {}

local CLOSERS = '^[%)%]%}"\'`>]*$'

---@class pointsman.Suggestion
---@field bufnr integer
---@field client_id integer
---@field item table the server's item
---@field text string all that would be inserted
---@field row integer 0-based
---@field first integer byte column where its range starts
---@field last integer byte column where its range ends
---@field line string the line when it was asked for
---@field col integer byte column of the cursor then
---@field done integer bytes of `item.insertText` that were accepted before

---@class pointsman.Fit
---@field row integer
---@field col integer byte column of the cursor now
---@field last integer byte column up to which the line is replaced
---@field rest string what is still to be written
---@field line string the line now

--- Byte column of an LSP character on `line`.
---@return integer
function M.byte(line, character, encoding)
  if encoding == 'utf-8' then
    return math.min(character, #line)
  end
  if vim.fn.has('nvim-0.11') == 1 then
    return vim.str_byteindex(line, encoding, character, false)
  end
  return vim.str_byteindex(line, math.min(character, vim.fn.strchars(line)), encoding == 'utf-16')
end

--- The text of the server's item.
---@return string|nil
function M.whole(item)
  return type(item.insertText) == 'table' and item.insertText.value or item.insertText
end

---@param asked { bufnr: integer, row: integer, col: integer, line: string }
---@return pointsman.Suggestion|nil
function M.new(asked, item, client_id, encoding)
  local text = M.whole(item)
  if type(text) ~= 'string' or text == '' then
    return nil
  end
  local first, last = asked.col, asked.col
  if item.range then
    if item.range.start.line ~= asked.row or item.range['end'].line ~= asked.row then
      return nil
    end
    first = M.byte(asked.line, item.range.start.character, encoding)
    last = M.byte(asked.line, item.range['end'].character, encoding)
  end
  if first > asked.col or last < asked.col then
    return nil
  end
  return {
    bufnr = asked.bufnr,
    client_id = client_id,
    item = item,
    text = text,
    row = asked.row,
    first = first,
    last = last,
    line = asked.line,
    col = asked.col,
    done = 0,
  }
end

--- How the suggestion fits the line `line` with the cursor at `row`, `col`; nil when it does not any more.
---@param s pointsman.Suggestion
---@return pointsman.Fit|nil
function M.fit_at(s, row, col, line)
  local head, tail = s.line:sub(1, s.col), s.line:sub(s.col + 1)
  if row ~= s.row or col < s.col or line:sub(1, #head) ~= head then
    return nil
  end
  local written = s.line:sub(s.first + 1, s.col) .. line:sub(s.col + 1, col)
  if s.text:sub(1, #written) ~= written then
    return nil
  end
  local rest, after = s.text:sub(#written + 1), line:sub(col + 1)
  local extra = after:sub(1, math.max(#after - #tail, 0))
  if rest == '' or extra .. tail ~= after then
    return nil
  end
  local last = col + #extra + s.last - s.col
  if extra ~= '' then
    if not extra:match(CLOSERS) then
      return nil
    end
    if not M.places(rest, extra) then
      if s.last > s.col then
        return nil
      end
      last = col
    end
  end
  return { row = row, col = col, last = last, rest = rest, line = line }
end

--- The same for the window that shows the buffer.
---@param s pointsman.Suggestion
---@return pointsman.Fit|nil
function M.fit(s)
  if not vim.api.nvim_buf_is_loaded(s.bufnr) or vim.api.nvim_get_current_buf() ~= s.bufnr then
    return nil
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  return M.fit_at(s, cursor[1] - 1, cursor[2], vim.api.nvim_get_current_line())
end

--- How much of `rest` a key takes.
---@param rest string
---@param kind 'all'|'word'|'line'
---@return string
function M.part(rest, kind)
  if kind == 'word' then
    return rest:match('^%s*[%w_\128-\255]+') or rest:match('^%s*[^%w_%s\128-\255]+') or rest
  elseif kind == 'line' then
    return rest:match('^\n*[^\n]*')
  end
  return rest
end

--- Where in `rest` the bytes `right` come again, in order: what an auto-pairing plugin closed. Late ones, so that a bracket
--- stays closed while parts are taken, but on the first line where that has them all.
---@param rest string
---@param right string
---@return integer[]|nil positions, one for each byte of `right`; nil when they do not come
function M.places(rest, right)
  for _, text in ipairs({ rest:match('^[^\n]*'), rest }) do
    local places, at = {}, #text
    for index = #right, 1, -1 do
      while at > 0 and text:byte(at) ~= right:byte(index) do
        at = at - 1
      end
      places[index] = at > 0 and at or nil
      at = at - 1
    end
    if right == '' or places[1] then
      return places
    end
  end
end

--- How many bytes right of the cursor a part writes again, so that it takes their place.
---@param fit pointsman.Fit
---@param part string
---@return integer
function M.covered(fit, part)
  if part == fit.rest then
    return fit.last - fit.col
  end
  local covered = 0
  for _, place in ipairs(M.places(fit.rest, fit.line:sub(fit.col + 1, fit.last)) or {}) do
    covered = covered + (place <= #part and 1 or 0)
  end
  return covered
end

return M
