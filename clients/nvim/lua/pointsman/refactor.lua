--- Lines and an instruction to the server; what comes back is an edit for review, a body to approve, or a note.
local M = {}

local COMMAND = 'pointsman.refactor'

--- What to tell of a result that made no proposal.
local function tell(result)
  local parts = {}
  if result.note and result.note ~= '' then
    parts[#parts + 1] = result.note
  elseif #result.edits == 0 then
    parts[#parts + 1] = 'no change came of it.'
  end
  local checks = result.checks
  if #result.edits > 0 and not (checks.parses and checks.in_scope) then
    parts[#parts + 1] = 'the change does not pass its checks and is shown only.'
    require('pointsman.attention').free(function()
      require('pointsman.window').split(vim.split(result.diff, '\n', { plain = true }), 'diff', 'diff')
    end, 'a diff')
  end
  for _, name in ipairs({ 'first_receipt', 'receipt' }) do
    local receipt = result[name]
    if receipt then
      parts[#parts + 1] = ('receipt %s: %s, %d bytes.'):format(receipt.record_id, receipt.model, receipt.body_bytes)
    end
  end
  if #parts > 0 then
    vim.notify('Pointsman: ' .. table.concat(parts, ' '))
  end
end

--- Ask the server, and the user where policy wants that.
---@param argument table of the server's command
---@param bufnr integer
function M.send(argument, bufnr)
  vim.notify('Pointsman: at work on ' .. (argument.tests and 'tests' or argument.instruction))
  local params = { command = COMMAND, arguments = { argument } }
  require('pointsman.client').ask('workspace/executeCommand', params, function(result)
    local waits = #result.edits == 0 and (result.preview_sha256 or '') ~= ''
    if waits and argument.approvedSha256 == nil then
      require('pointsman.outgoing').ask(result, function(yes)
        if yes then
          argument.approvedSha256 = result.preview_sha256
          M.send(argument, bufnr)
        else
          vim.notify('Pointsman: nothing was sent')
        end
      end)
    else
      tell(result)
    end
  end, bufnr)
end

--- The files of the quickfix list, each once, without one buffer and without what is no file.
---@param without integer
---@return string[] URIs
local function listed(without)
  local uris, seen = {}, { [vim.api.nvim_buf_get_name(without)] = true }
  for _, item in ipairs(vim.fn.getqflist()) do
    local name = item.bufnr > 0 and vim.api.nvim_buf_get_name(item.bufnr) or ''
    if not seen[name] and vim.fn.filereadable(name) == 1 then
      seen[name] = true
      uris[#uris + 1] = vim.uri_from_bufnr(item.bufnr)
    end
  end
  return uris
end

--- The files to change together with a buffer; nil, and the user is told, when there are none.
---@param bufnr integer
---@return string[]|nil URIs
local function others_of(bufnr)
  local uris = listed(bufnr)
  if #uris == 0 then
    vim.notify('Pointsman: the quickfix list names no other file', vim.log.levels.ERROR)
    return nil
  end
  return uris
end

--- Change lines, 1-based, of the current buffer by instruction.
---@param instruction string
---@param lines { first: integer, last: integer }
---@param together boolean|nil with the files of the quickfix list, which may change as a whole
function M.run(instruction, lines, together)
  local bufnr = vim.api.nvim_get_current_buf()
  local others = {}
  if together then
    local uris = others_of(bufnr)
    if not uris then
      return
    end
    others = vim.tbl_map(function(uri)
      return { textDocument = { uri = uri } }
    end, uris)
  end
  M.send({
    textDocument = { uri = vim.uri_from_bufnr(bufnr), version = vim.lsp.util.buf_versions[bufnr] },
    range = {
      start = { line = lines.first - 1, character = 0 },
      ['end'] = { line = lines.last, character = 0 },
    },
    instruction = instruction,
    others = others,
  }, bufnr)
end

---@param lines { first: integer, last: integer }
---@param together boolean|nil
function M.prompt(lines, together)
  local uris = together and others_of(vim.api.nvim_get_current_buf())
  if together and not uris then
    return
  end
  local more = uris and (' and %d files'):format(#uris) or ''
  vim.ui.input({ prompt = ('Change lines %d-%d%s: '):format(lines.first, lines.last, more) }, function(instruction)
    if instruction and vim.trim(instruction) ~= '' then
      M.run(instruction, lines, together)
    end
  end)
end

return M
