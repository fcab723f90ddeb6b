--- Which replies to inline completion requests are news. Editors ask at every pause and answers take their time, so one
--- may come when a newer one was asked for, or when the line has moved on.
local suggestion = require('pointsman.suggestion')

local M = {}

---@type table<integer, integer> number of the newest request by buffer
local newest = {}

---@class pointsman.Asked
---@field bufnr integer
---@field row integer 0-based
---@field col integer byte column of the cursor
---@field line string the line when it was asked for
---@field number integer

--- Where the cursor is, and the line there.
function M.here()
  local cursor = vim.api.nvim_win_get_cursor(0)
  return {
    bufnr = vim.api.nvim_get_current_buf(),
    row = cursor[1] - 1,
    col = cursor[2],
    line = vim.api.nvim_get_current_line(),
  }
end

--- Note a request that is sent now.
---@return pointsman.Asked
function M.asked()
  local here = M.here()
  newest[here.bufnr] = (newest[here.bufnr] or 0) + 1
  here.number = newest[here.bufnr]
  return here
end

--- The suggestions of a reply that fit the buffer as it is now. Nil when the reply says nothing about the buffer as it is:
--- what is on the screen then stays.
---@param asked pointsman.Asked
---@return pointsman.Suggestion[]|nil
function M.fitting(asked, result, client)
  if newest[asked.bufnr] ~= asked.number then
    return nil
  end
  local found = {}
  for _, item in ipairs(result and (result.items or result) or {}) do
    local s = suggestion.new(asked, item, client.id, client.offset_encoding)
    if s and suggestion.fit(s) then
      found[#found + 1] = s
    end
  end
  local now = M.here()
  local same = now.bufnr == asked.bufnr and now.row == asked.row and now.col == asked.col and now.line == asked.line
  return (same or #found > 0) and found or nil
end

return M
