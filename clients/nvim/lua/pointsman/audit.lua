--- The receipts of what left this machine, by the command line.
local M = {}

---@param arguments string[] of `pointsman audit`; none lists the records
function M.show(arguments)
  local words = { require('pointsman.config').current.cmd[1], 'audit' }
  vim.list_extend(words, #arguments > 0 and arguments or { 'list' })
  local ok, fault = pcall(vim.system, words, { text = true }, function(done)
    vim.schedule(function()
      local text = vim.trim((done.stdout or '') .. (done.stderr or ''))
      text = text ~= '' and text or 'nothing has left this machine'
      require('pointsman.window').split(vim.split(text, '\n', { plain = true }), 'audit')
    end)
  end)
  if not ok then
    vim.notify('Pointsman: ' .. tostring(fault), vim.log.levels.ERROR)
  end
end

return M
