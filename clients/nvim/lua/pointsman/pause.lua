--- Ghost text on and off: everywhere, for a filetype, for a buffer. Questions and refactors go on.
local M = {}

local everywhere = false
---@type table<string, true>
local filetypes = {}

---@return boolean
function M.paused(bufnr)
  bufnr = bufnr == 0 and vim.api.nvim_get_current_buf() or bufnr
  return everywhere or filetypes[vim.bo[bufnr].filetype] or vim.b[bufnr].pointsman_paused == true
end

--- What follows `:Pointsman pause` to end the pause of a buffer that is paused.
---@return string
function M.word(bufnr)
  bufnr = bufnr == 0 and vim.api.nvim_get_current_buf() or bufnr
  return everywhere and '' or vim.b[bufnr].pointsman_paused == true and ' buffer' or ' filetype'
end

--- Make what a buffer shows follow what was said.
function M.apply(bufnr)
  if not require('pointsman.client').attached(bufnr) then
    return
  end
  local native = require('pointsman.native')
  local on = not M.paused(bufnr)
  if native.available() then
    native.enable(bufnr, on)
    native.follow(bufnr)
  else
    require('pointsman.typing').enable(bufnr, on)
  end
end

--- Switch. `what` is `buffer`, `filetype` or, for everywhere, nothing. Returns whether it is paused now.
---@param what string|nil
---@return boolean
function M.toggle(what)
  local bufnr = vim.api.nvim_get_current_buf()
  local now
  if what == 'buffer' then
    now = not vim.b[bufnr].pointsman_paused
    vim.b[bufnr].pointsman_paused = now
  elseif what == 'filetype' then
    local name = vim.bo[bufnr].filetype
    now = not filetypes[name]
    filetypes[name] = now or nil
  else
    now = not everywhere
    everywhere = now
  end
  for _, each in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(each) then
      M.apply(each)
    end
  end
  vim.cmd('redrawstatus!')
  return now
end

--- Where `setup` begins.
function M.start_paused(paused)
  everywhere = paused
end

return M
