--- What would leave this machine, shown before it does.
local M = {}

--- The body that would leave, and the user's word on it.
---@return boolean
function M.approved(result)
  local name = ('outgoing, %d values replaced'):format(result.redactions or 0)
  local before = vim.api.nvim_get_current_win()
  local bufnr = require('pointsman.window').split(vim.split(result.preview, '\n', { plain = true }), name, 'json')
  vim.cmd.redraw()
  local where = ('%s at %s'):format(result.route.model, result.route.endpoint)
  local yes = vim.fn.confirm(('Send exactly this to %s?'):format(where), '&Send\n&Do not', 2) == 1
  vim.api.nvim_buf_delete(bufnr, { force = true })
  if vim.api.nvim_win_is_valid(before) then
    vim.api.nvim_set_current_win(before)
  end
  return yes
end

return M
