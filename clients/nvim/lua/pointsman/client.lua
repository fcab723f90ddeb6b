--- The server's process: started for each workspace, started again when it dies, and asked.
local config = require('pointsman.config')

local M = {}

local NAME = 'pointsman'
local TRIES, WITHIN_MS = 5, 180000

---@type table<integer, table<integer, true>> buffers by client
local attached = {}
---@type table<integer, table<integer, fun(message: string)>> what waits for an answer, by client and request
local waiting = {}
---@type table<integer, table<integer, fun()>> who wants to know that a cancelled one is over, likewise
local cancelled = {}
local starting = {} ---@type table<integer, true> those that have not said what they can yet, by client
local deaths = {}
local leaving = false

function M.all()
  local get = vim.lsp.get_clients
  return get({ name = NAME })
end

function M.by_id(id)
  return vim.lsp.get_client_by_id(id)
end

--- The client that is attached to a buffer.
---@param bufnr integer 0 for the current one
function M.attached(bufnr)
  return vim.lsp.get_clients({ name = NAME, bufnr = bufnr })[1]
end

--- Whether a server is on its way.
---@return boolean
function M.starting()
  return next(starting) ~= nil
end

--- Why there is no server, and what to do.
---@return string
function M.why_none()
  if M.starting() then
    return 'the server is starting; ask again in a moment'
  elseif vim.fn.executable(config.current.cmd[1]) == 0 then
    return ('no program "%s"; install it or set cmd, see :checkhealth pointsman'):format(config.current.cmd[1])
  end
  return 'not running for this file; see :checkhealth pointsman'
end

--- The client of a buffer; of a buffer that has none, such as the chat's, the one of this folder, else any.
---@param bufnr integer|nil 0 or nil for the current one
function M.of(bufnr)
  local here = M.attached(bufnr or 0)
  if here then
    return here
  end
  local clients, folder = M.all(), vim.fn.getcwd()
  for _, client in ipairs(clients) do
    local root = client.config.root_dir
    if root and vim.startswith(folder .. '/', root .. '/') then
      return client
    end
  end
  return clients[1]
end

--- Send a request. Neovim 0.10 has functions where 0.11 has methods.
---@return integer|nil id by which it can be cancelled
function M.send(client, method, params, handler, bufnr)
  local ok, id
  if vim.fn.has('nvim-0.11') == 1 then
    ok, id = client:request(method, params, handler, bufnr)
  else
    ok, id = client.request(method, params, handler, bufnr)
  end
  return ok and id or nil
end

function M.notify(client, method, params)
  if vim.fn.has('nvim-0.11') == 1 then
    return client:notify(method, params)
  end
  return client.notify(method, params)
end

--- Cancel a request of `ask`. Neovim calls no handler once the server says that it has, or ends: `ended` is.
---@param ended fun()
function M.cancel(client, id, ended)
  local ours = waiting[client.id] or {}
  ours[id] = nil
  cancelled[client.id] = cancelled[client.id] or {}
  cancelled[client.id][id] = ended
  if vim.fn.has('nvim-0.11') == 1 then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

--- JSON's null inside a result is nothing to us.
local function without_nulls(value)
  if value == vim.NIL then
    return nil
  elseif type(value) == 'table' then
    for key, inner in pairs(value) do
      value[key] = without_nulls(inner)
    end
  end
  return value
end

--- Ask the server of a buffer; what goes wrong is told to the user, and `take` is not called.
---@param method string
---@param take fun(result: any)
---@param bufnr integer|nil
---@param failed fun(message: string)|nil
function M.ask(method, params, take, bufnr, failed)
  local client = M.of(bufnr)
  local function fail(message)
    vim.notify('Pointsman: ' .. message, vim.log.levels.ERROR)
    if failed then
      failed(message)
    end
  end
  if not client then
    fail(M.why_none())
    return nil
  end
  -- Neovim calls no handler when the server's process ends: `on_exit` does.
  local ours = waiting[client.id] or {}
  waiting[client.id] = ours
  local id
  id = M.send(client, method, params, function(err, result)
    ours[id] = nil
    if err then
      local remedy = vim.tbl_get(err, 'data', 'remedy') or ''
      fail((err.message or 'the request failed') .. (remedy ~= '' and (' (%s)'):format(remedy) or ''))
    else
      take(without_nulls(result))
    end
  end, bufnr or 0)
  if id then
    ours[id] = fail
  else
    fail('the server is going; ask again in a moment')
  end
  return id, client
end

--- Whether a buffer is one to help in.
local function wanted(bufnr)
  local now, filetype = config.current, vim.bo[bufnr].filetype
  if vim.bo[bufnr].buftype ~= '' or vim.api.nvim_buf_get_name(bufnr) == '' then
    return false
  elseif vim.tbl_contains(now.exclude_filetypes, filetype) then
    return false
  end
  return now.filetypes == nil or vim.tbl_contains(now.filetypes, filetype)
end

local function capabilities()
  local made = vim.lsp.protocol.make_client_capabilities()
  made.textDocument.inlineCompletion = made.textDocument.inlineCompletion or { dynamicRegistration = false }
  -- A resolved code action would be applied at once; as a command its edit comes back for review.
  made.textDocument.codeAction.resolveSupport = { properties = { 'command' } }
  -- Neovim takes versioned edits without saying so, and handlers.lua shows those that want the user's word.
  made.workspace.workspaceEdit = vim.tbl_extend('force', made.workspace.workspaceEdit or {}, {
    documentChanges = true,
    changeAnnotationSupport = { groupsOnLabel = true },
  })
  return made
end

local function on_attach(client, bufnr)
  attached[client.id] = attached[client.id] or {}
  attached[client.id][bufnr] = true
  local native = require('pointsman.native')
  if native.available() and not client.pointsman_watched then
    client.pointsman_watched = true
    native.watch(client)
  end
  require('pointsman.pause').apply(bufnr)
end

--- A server that ends by itself is started again, some times; one that the user stopped is not.
local function on_exit(code, signal, client_id)
  vim.schedule(function()
    starting[client_id] = nil
    local buffers, asked = vim.tbl_keys(attached[client_id] or {}), vim.tbl_values(waiting[client_id] or {})
    local over = vim.tbl_values(cancelled[client_id] or {})
    attached[client_id], waiting[client_id], cancelled[client_id] = nil, nil, nil
    for _, fail in ipairs(leaving and {} or asked) do
      fail('the server ended before it answered')
    end
    for _, ended in ipairs(leaving and {} or over) do
      ended()
    end
    if leaving or (code == 0 and signal == 0) then
      return
    end
    local now = vim.uv.now()
    deaths = vim.tbl_filter(function(at)
      return now - at < WITHIN_MS
    end, deaths)
    if #deaths >= TRIES then
      vim.notify('Pointsman: the server keeps ending; see :checkhealth pointsman', vim.log.levels.ERROR)
      return
    end
    deaths[#deaths + 1] = now
    vim.defer_fn(function()
      for _, bufnr in ipairs(buffers) do
        if vim.api.nvim_buf_is_loaded(bufnr) then
          M.start(bufnr)
        end
      end
    end, 250 * 2 ^ (#deaths - 1))
  end)
end

--- Attach a server to the buffer, when it is one to help in.
---@param bufnr integer
function M.start(bufnr)
  if not wanted(bufnr) then
    return
  elseif vim.fn.executable(config.current.cmd[1]) == 0 then
    local words = 'Pointsman: ' .. M.why_none()
    vim.schedule(function() -- an error that is told while a file is read would be told with a trace
      vim.notify_once(words, vim.log.levels.ERROR)
    end)
    return
  end
  -- As a function, for a list would be one of priorities from Neovim 0.11 on: the nearest is wanted.
  local root = vim.fs.root(bufnr, function(name)
    return vim.tbl_contains(config.current.root_markers, name)
  end)
  local id = vim.lsp.start({
    name = NAME,
    cmd = config.current.cmd,
    root_dir = root,
    capabilities = capabilities(),
    init_options = config.current.init_options,
    handlers = require('pointsman.handlers'),
    commands = {
      ['pointsman.refactor'] = function(command, context)
        require('pointsman.refactor').send(command.arguments[1], context.bufnr)
      end,
    },
    on_init = function(client)
      starting[client.id] = nil
    end,
    on_attach = on_attach,
    on_exit = on_exit,
  }, {
    bufnr = bufnr,
    reuse_client = function(client, new)
      return client.name == NAME and client.config.root_dir == new.root_dir
    end,
  })
  local client = id and vim.lsp.get_client_by_id(id)
  if client and not client.initialized then
    starting[id] = true
  end
end

--- Start with every file that is opened, and with those that are open already.
function M.enable()
  local group = vim.api.nvim_create_augroup('pointsman.client', { clear = true })
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    callback = function(event)
      M.start(event.buf)
    end,
  })
  vim.api.nvim_create_autocmd('LspRequest', {
    group = group,
    callback = function(event)
      local about = event.data
      local ended = vim.tbl_get(cancelled, about.client_id, about.request_id)
      if ended and about.request.type == 'complete' then
        cancelled[about.client_id][about.request_id] = nil
        ended()
      end
    end,
  })
  vim.api.nvim_create_autocmd('VimLeavePre', {
    group = group,
    callback = function()
      leaving = true
    end,
  })
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) and vim.bo[bufnr].filetype ~= '' then
      M.start(bufnr)
    end
  end
end

return M
