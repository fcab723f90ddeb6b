--- Ghost text of our own: what is left after a word was accepted, alternatives, and everything on Neovim 0.10 and 0.11.
--- Neovim 0.12 draws the rest itself.
local suggestion = require('pointsman.suggestion')

local M = {}

local namespace = vim.api.nvim_create_namespace('pointsman.held')
local group = vim.api.nvim_create_augroup('pointsman.held', { clear = true })

---@type { list: pointsman.Suggestion[], index: integer }|nil
local held

local function highlight()
  return vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'NonText'
end

--- The first line, in pieces between those characters on the right that it has too.
---@return { col: integer, text: string, over: boolean|nil }[]
local function pieces(fit, first)
  local right = fit.line:sub(fit.col + 1, fit.last)
  local places = suggestion.places(fit.rest, right)
  if not places or (places[#right] or 0) > #first then
    -- What is on the right goes down with the last line, or away: until then it is covered.
    return { { col = fit.col, text = first .. (' '):rep(#right - #first), over = true } }
  end
  local found, from = {}, 1
  for index, place in ipairs(places) do
    found[#found + 1] = { col = fit.col + index - 1, text = first:sub(from, place - 1) }
    from = place + 1
  end
  found[#found + 1] = { col = fit.last, text = first:sub(from) }
  return found
end

---@param s pointsman.Suggestion
---@param fit pointsman.Fit
---@param note string|nil
local function draw(s, fit, note)
  vim.api.nvim_buf_clear_namespace(s.bufnr, namespace, 0, -1)
  local below = {}
  for _, text in ipairs(vim.split(fit.rest, '\n', { plain = true })) do
    below[#below + 1] = { { text, highlight() } }
  end
  local first = table.remove(below, 1)[1][1]
  local shown = pieces(fit, first)
  for index, piece in ipairs(shown) do
    local text = { { piece.text, highlight() } }
    if note and index == #shown then
      table.insert(below[#below] or text, { note, highlight() })
    end
    if piece.text ~= '' or index == #shown then
      vim.api.nvim_buf_set_extmark(s.bufnr, namespace, fit.row, piece.col, {
        virt_text = text,
        virt_lines = index == #shown and #below > 0 and below or nil,
        virt_text_pos = piece.over and 'overlay' or 'inline',
        hl_mode = 'combine',
      })
    end
  end
end

--- Take the ghost text off the screen and forget it.
function M.clear()
  if held then
    local bufnr = held.list[1].bufnr
    if vim.api.nvim_buf_is_valid(bufnr) then
      vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
    end
    held = nil
  end
end

--- Show the suggestion at `index` of `list`, when it fits.
---@param list pointsman.Suggestion[]
---@param index integer|nil
---@return boolean
function M.show(list, index)
  M.clear()
  local s = list[index or 1]
  local fit = s and suggestion.fit(s)
  if not fit then
    return false
  end
  held = { list = list, index = index or 1 }
  draw(s, fit, #list > 1 and (' (%d/%d)'):format(held.index, #list) or nil)
  return true
end

---@return pointsman.Suggestion|nil
function M.current()
  local s = held and held.list[held.index]
  return s and suggestion.fit(s) and s or nil
end

--- Go `step` on in the list that is shown. False when there is none, or only one.
---@param step integer
---@return boolean
function M.cycle(step)
  if not M.current() or not held or #held.list < 2 then
    return false
  end
  return M.show(held.list, (held.index - 1 + step) % #held.list + 1)
end

local function refit()
  if not held then
    return
  end
  local s = held.list[held.index]
  local fit = suggestion.fit(s)
  if fit then
    draw(s, fit)
  else
    M.clear()
  end
end

vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedI', 'TextChangedP' }, { group = group, callback = refit })
vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, { group = group, callback = M.clear })
-- <C-c> ends Insert mode without InsertLeave.
vim.api.nvim_create_autocmd('ModeChanged', { group = group, pattern = 'i*:n*', callback = M.clear })

return M
