--- Docs and tests: of lines, or of the definition that the cursor is in, which the server finds.
local M = {}

---@param kind 'docs'|'tests'
---@param lines { first: integer, last: integer }|nil
function M.run(kind, lines)
  local bufnr = vim.api.nvim_get_current_buf()
  local first = lines and lines.first or vim.api.nvim_win_get_cursor(0)[1]
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(bufnr) },
    range = {
      start = { line = first - 1, character = 0 },
      ['end'] = { line = lines and lines.last or first - 1, character = 0 },
    },
    context = { diagnostics = {}, only = { 'source.pointsman.' .. kind } },
  }
  require('pointsman.client').ask('textDocument/codeAction', params, function(actions)
    local action = (actions or {})[1]
    if action then
      require('pointsman.refactor').send(action.command.arguments[1], bufnr)
    else
      vim.notify('Pointsman: the cursor is in no definition; select the lines', vim.log.levels.WARN)
    end
  end, bufnr)
end

return M
