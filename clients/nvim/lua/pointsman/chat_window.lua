--- The chat's split: draws turns, and knows which turn and which citation a line belongs to.
local M = {}

local NAME = 'pointsman://chat'

---@class pointsman.Turn
---@field question string
---@field root string|nil what the paths of its answer are below
---@field workspace string|nil of the client that was asked
---@field bufnr integer it was asked of
---@field lines { first: integer, last: integer }|nil of that buffer
---@field draft string what the model wrote so far
---@field answer table|nil the server's answer, once it was checked
---@field failed string|nil
---@field first integer|nil line of the window where it begins
---@field last integer|nil

---@return integer
function M.buffer()
  local bufnr = vim.fn.bufnr(NAME)
  if bufnr ~= -1 and vim.api.nvim_buf_is_loaded(bufnr) then
    return bufnr
  elseif bufnr ~= -1 then
    vim.api.nvim_buf_delete(bufnr, { force = true }) -- :bdelete left its name and took its options
  end
  bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(bufnr, NAME)
  vim.bo[bufnr].bufhidden = 'hide'
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = 'markdown'
  return bufnr
end

--- Show it, and leave the cursor where it was.
function M.open()
  local bufnr = M.buffer()
  if vim.fn.bufwinid(bufnr) ~= -1 then
    return
  end
  local layout, before = require('pointsman.config').current.chat, vim.api.nvim_get_current_win()
  local below = layout.position == 'below'
  local size = layout.size or (below and math.floor(vim.o.lines / 3) or 72)
  local places = { right = 'botright vertical', left = 'topleft vertical', below = 'botright' }
  size = math.max(1, math.min(size, math.floor((below and vim.o.lines or vim.o.columns) / 2)))
  vim.cmd(('%s %dsplit'):format(places[layout.position], size))
  vim.api.nvim_win_set_buf(0, bufnr)
  vim.wo[0].wrap, vim.wo[0].linebreak, vim.wo[0].number, vim.wo[0].spell = true, true, false, false
  vim.api.nvim_set_current_win(before)
end

---@param turn pointsman.Turn
local function lines_of(turn)
  local text = { '## ' .. turn.question:gsub('\n', ' '), '' }
  local answer = turn.answer
  if answer then
    text[#text + 1] = answer.answer
    text[#text + 1] = ''
    for _, c in ipairs(answer.citations) do
      text[#text + 1] = ('[%d] %s:%d-%d %s'):format(c.n, c.path, c.start_line, c.end_line, c.symbol)
    end
    local model = answer.route.model ~= '' and answer.route.model or 'no model'
    text[#text + 1] = ('_%s %s: %s_'):format(answer.route.target, model, answer.route.reason)
    if type(answer.receipt) == 'table' then
      local receipt = answer.receipt
      text[#text + 1] = ('_%d bytes left for %s, receipt %s_'):format(receipt.body_bytes, receipt.endpoint, receipt.record_id)
    end
    if (answer.note or '') ~= '' then
      text[#text + 1] = ('_%s_'):format(answer.note)
    end
  elseif turn.failed then
    text[#text + 1] = '_' .. turn.failed .. '_'
  else
    text[#text + 1] = turn.draft ~= '' and turn.draft or '…'
    text[#text + 1] = '_a draft, not checked yet_'
  end
  text[#text + 1] = ''
  return vim.split(table.concat(text, '\n'), '\n', { plain = true })
end

--- Draw all turns and follow the last.
---@param turns pointsman.Turn[]
function M.draw(turns)
  local bufnr, lines = M.buffer(), {}
  for _, turn in ipairs(turns) do
    turn.first = #lines + 1
    vim.list_extend(lines, lines_of(turn))
    turn.last = #lines
  end
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  local window, last = vim.fn.bufwinid(bufnr), turns[#turns]
  if window ~= -1 and last and window ~= vim.api.nvim_get_current_win() then
    vim.api.nvim_win_set_cursor(window, { #lines, 0 })
  end
end

--- The turn of a line, and the citation that the line names at or after the column, else its first.
---@param turns pointsman.Turn[]
---@return pointsman.Turn|nil, table|nil
function M.at(turns, row, column)
  for _, turn in ipairs(turns) do
    if turn.first and row >= turn.first and row <= turn.last then
      local line = vim.api.nvim_buf_get_lines(M.buffer(), row - 1, row, false)[1] or ''
      local from = math.max(1, column - 2)
      local number = tonumber(line:match('%[(%d+)%]', from) or line:match('%[(%d+)%]'))
      for _, citation in ipairs(turn.answer and turn.answer.citations or {}) do
        if citation.n == number then
          return turn, citation
        end
      end
      return turn, nil
    end
  end
end

return M
