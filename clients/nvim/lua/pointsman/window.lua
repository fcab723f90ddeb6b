--- Windows that only show: a float that the next movement closes, and a split.
local M = {}

--- A buffer that belongs to no file and cannot be typed into.
---@param lines string[]
---@return integer
function M.scratch(lines, filetype)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = filetype or ''
  return bufnr
end

---@param lines string[]
---@param title string
function M.float(lines, title)
  local flat = vim.split(table.concat(lines, '\n'), '\n', { plain = true })
  local bufnr = vim.lsp.util.open_floating_preview(flat, 'plaintext', {
    border = 'rounded',
    title = title,
    focus_id = 'pointsman' .. title,
    focus = false, -- shown anew, not entered, when it is there
    max_width = math.max(40, vim.o.columns - 8),
    max_height = math.max(5, vim.o.lines - 8),
  })
  return bufnr
end

--- A split below with `lines`; `q` closes it.
function M.split(lines, name, filetype)
  local bufnr = M.scratch(lines, filetype)
  vim.cmd(('botright %dsplit'):format(math.min(#lines + 1, 15)))
  vim.api.nvim_win_set_buf(0, bufnr)
  pcall(vim.api.nvim_buf_set_name, bufnr, 'pointsman://' .. name)
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'Close' })
  return bufnr
end

return M
