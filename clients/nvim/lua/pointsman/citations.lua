--- The places that an answer rests on: in the quickfix list, and opened from the chat.
local M = {}

--- The file of a citation, below the root that the server names.
---@return string|nil nil when there is no such file
local function file_of(root, citation)
  local path = vim.fs.normalize(root .. '/' .. citation.path)
  return vim.uv.fs_stat(path) and path or nil
end

--- Put them into the quickfix list. Returns how many are there.
---@param question string
---@param root string
---@param citations table[]
---@return integer
function M.list(question, root, citations)
  local items = {}
  for _, citation in ipairs(citations) do
    local path = file_of(root, citation)
    if path then
      items[#items + 1] = {
        filename = path,
        lnum = citation.start_line,
        end_lnum = citation.end_line,
        col = 1,
        text = ('[%d] %s'):format(citation.n, citation.symbol),
      }
    end
  end
  if #items > 0 then
    vim.fn.setqflist({}, ' ', { title = 'Pointsman: ' .. question, items = items })
  end
  return #items
end

--- Open one in a window that shows a file, never in the one it is asked from.
function M.open(root, citation)
  local path = file_of(root, citation)
  if not path then
    vim.notify('Pointsman: ' .. citation.path .. ' is not there any more', vim.log.levels.WARN)
    return
  end
  local target
  for _, window in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    if vim.bo[vim.api.nvim_win_get_buf(window)].buftype == '' then
      target = target or window
    end
  end
  if target then
    vim.api.nvim_set_current_win(target)
  else
    vim.cmd('topleft vsplit')
  end
  vim.cmd.edit(vim.fn.fnameescape(path))
  local last = vim.api.nvim_buf_line_count(0)
  vim.api.nvim_win_set_cursor(0, { math.max(1, math.min(citation.start_line, last)), 0 })
  vim.cmd('normal! zvzz')
end

return M
