--- A proposed edit as a diff in a tab of its own: the file on the left, the proposal on the right. Nothing is applied
--- until the user takes it, hunk by hunk or as a whole; the diff follows the file as it is edited.
local M = {}

--- Whether an edit asks for the user's word.
---@return boolean
function M.wants(edit)
  for _, annotation in pairs(edit and edit.changeAnnotations or {}) do
    if annotation.needsConfirmation then
      return true
    end
  end
  return false
end

--- What stands above the proposal.
local function title_of(edit)
  local texts = {}
  for _, annotation in pairs(edit.changeAnnotations or {}) do
    texts[#texts + 1] = annotation.description and ('%s: %s'):format(annotation.label, annotation.description)
      or annotation.label
  end
  return table.concat(texts, '; ')
end

--- A file's folder may be missing as well, and is only made when the user writes the file.
local function make_folder_on_write(bufnr)
  vim.api.nvim_create_autocmd('BufWritePre', {
    buffer = bufnr,
    once = true,
    callback = function()
      vim.fn.mkdir(vim.fs.dirname(vim.api.nvim_buf_get_name(bufnr)), 'p')
    end,
  })
end

--- The changes by file, and what is left over: files that are moved, removed or made without text.
local function by_file(edit)
  local files, others, filled, made = {}, {}, {}, {}
  for _, change in ipairs(edit.documentChanges or {}) do
    filled[change.textDocument and change.textDocument.uri or ''] = true
  end
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.kind == 'create' and filled[change.uri] then
      made[change.uri] = true -- the buffer of a file that is not there is empty, and writing it makes the file
    elseif change.kind then
      others[#others + 1] = change
    else
      local file = { bufnr = vim.uri_to_bufnr(change.textDocument.uri), edits = change.edits }
      file.version, file.made = change.textDocument.version, made[change.textDocument.uri]
      files[#files + 1] = file
    end
  end
  for uri, edits in pairs(edit.changes or {}) do
    files[#files + 1] = { bufnr = vim.uri_to_bufnr(uri), edits = edits }
  end
  return files, others
end

--- A file that would be made, and is there.
---@return string|nil
local function already_there(edit)
  for _, change in ipairs(edit.documentChanges or {}) do
    local path = change.kind == 'create' and vim.uri_to_fname(change.uri)
    if path and vim.uv.fs_stat(path) then
      return path
    end
  end
end

---@return boolean
local function is_stale(file)
  local version = vim.lsp.util.buf_versions[file.bufnr]
  return file.version ~= nil and file.version ~= vim.NIL and version ~= nil and version ~= file.version
end

--- A buffer with the file as it would be.
local function proposal(file, encoding)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.api.nvim_buf_get_lines(file.bufnr, 0, -1, false))
  local plain = vim.tbl_map(function(each)
    return { range = each.range, newText = each.newText }
  end, file.edits)
  local empty = vim.api.nvim_buf_line_count(bufnr) == 1 and vim.api.nvim_buf_get_lines(bufnr, 0, 1, false)[1] == ''
  vim.lsp.util.apply_text_edits(plain, bufnr, encoding)
  if empty and vim.api.nvim_buf_get_lines(bufnr, -2, -1, false)[1] == '' then
    vim.api.nvim_buf_set_lines(bufnr, -2, -1, false, {}) -- the line end of the last line, which a buffer does not show
  end
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].filetype = vim.bo[file.bufnr].filetype
  vim.bo[bufnr].modifiable = false
  return bufnr
end

local function close(tab)
  if vim.api.nvim_tabpage_is_valid(tab) and #vim.api.nvim_list_tabpages() > 1 then
    vim.cmd('tabclose ' .. vim.api.nvim_tabpage_get_number(tab))
  end
end

--- Take the whole proposal as one undo step.
local function accept_all(target, proposed)
  local lines = vim.api.nvim_buf_get_lines(proposed, 0, -1, false)
  local before = vim.api.nvim_buf_get_lines(target, 0, -1, false)
  local head = 0
  while head < #lines and head < #before and lines[head + 1] == before[head + 1] do
    head = head + 1
  end
  local tail = 0
  while tail < math.min(#lines, #before) - head and lines[#lines - tail] == before[#before - tail] do
    tail = tail + 1
  end
  vim.api.nvim_buf_set_lines(target, head, #before - tail, false, vim.list_slice(lines, head + 1, #lines - tail))
end

local function text_of(bufnr)
  return table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), '\n')
end

local function name_of(bufnr)
  return vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':~:.')
end

local function warn(text)
  vim.notify('Pointsman: ' .. text, vim.log.levels.WARN)
end

--- Why the file cannot be changed now, or nil.
---@return string|nil
local function cannot_be_changed(target)
  if not vim.api.nvim_buf_is_loaded(target) then
    return 'the file was closed since the review opened; nothing was changed'
  elseif not vim.bo[target].modifiable then
    return name_of(target) .. " cannot be changed: it is not 'modifiable'"
  end
end

--- The keys of a review. They do nothing until the function that is returned is called: a key that was on its way when
--- the review opened was meant for something else.
---@param seen string the file's text as the review knows it
---@return fun() arm
local function map_keys(tab, target, proposed, seen)
  local armed = false
  local function map(key, action, what)
    vim.keymap.set('n', key, function()
      if armed then
        action()
      end
    end, { buffer = proposed, nowait = true, desc = 'Pointsman: ' .. what })
  end
  local function map_taking(key, action, what)
    map(key, function()
      local fault = cannot_be_changed(target)
      if fault then
        warn(fault)
      else
        action()
      end
    end, what)
  end
  map_taking('a', function()
    local known = seen == text_of(target)
    local ok = pcall(vim.cmd, 'diffput')
    if not ok then
      warn('the file is not shown beside the proposal any more; A takes all')
      return
    end
    seen = known and text_of(target) or seen
    pcall(vim.cmd.normal, { ']c', bang = true })
  end, 'take this hunk')
  map_taking('A', function()
    local edited = seen ~= text_of(target)
    local asked = 'The file was edited since the review opened. Replace that with the proposal too?'
    if edited and vim.fn.confirm(asked, '&Replace\n&Cancel', 2) ~= 1 then
      return
    end
    accept_all(target, proposed)
    close(tab)
  end, 'take all')
  map('q', function()
    close(tab)
  end, 'leave the rest')
  return function()
    armed = true
  end
end

--- When the review of a file that nobody had open is over: list it, for what was taken is not on the disk yet, or forget
--- it.
local function tidy_after(proposed, target)
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = proposed,
    once = true,
    callback = function()
      if not vim.api.nvim_buf_is_loaded(target) then
        return
      elseif vim.bo[target].modified then
        vim.bo[target].buflisted = true
        return
      end
      vim.schedule(function()
        local unused = vim.api.nvim_buf_is_valid(target) and #vim.fn.win_findbuf(target) == 0
        if unused and not vim.bo[target].modified and not vim.bo[target].buflisted then
          vim.api.nvim_buf_delete(target, {})
        end
      end)
    end,
  })
end

--- Show one file in a tab page. Returns what makes its keys work; nil, and the user is told, when it cannot be read.
---@return fun()|nil arm
local function show(file, encoding, title)
  local loaded, fault = pcall(vim.fn.bufload, file.bufnr)
  if not loaded then -- as of a file that another Neovim has open
    local why = tostring(fault):match('E%d+:[^\n]*') or tostring(fault)
    warn(('%s is left out, it cannot be opened: %s'):format(name_of(file.bufnr), why))
    return nil
  end
  local proposed = proposal(file, encoding)
  tidy_after(proposed, file.bufnr)
  if file.made then
    make_folder_on_write(file.bufnr)
  end
  vim.cmd('tab split')
  local tab = vim.api.nvim_get_current_tabpage()
  vim.api.nvim_win_set_buf(0, file.bufnr)
  vim.cmd('diffthis')
  vim.cmd('rightbelow vsplit')
  vim.api.nvim_win_set_buf(0, proposed)
  vim.cmd('diffthis')
  local window = vim.api.nvim_get_current_win()
  title = title:gsub('%%', '%%%%')
  vim.wo[window].winbar = '%<' .. title
  vim.cmd('silent! normal! gg]c')
  local arm = map_keys(tab, file.bufnr, proposed, text_of(file.bufnr))
  return function()
    arm()
    if vim.api.nvim_win_is_valid(window) then
      vim.wo[window].winbar = 'a: take hunk, A: take all, q: leave  %<' .. title
    end
  end
end

---@return string|nil
local function stale(files)
  for _, file in ipairs(files) do
    if is_stale(file) then
      return 'the file has changed since'
    end
  end
end

local function apply_after_question(edit, encoding, files, others)
  local asked = ('Pointsman wants to change %d files, and to make, move or remove %d'):format(#files, #others)
  if vim.fn.confirm(asked, '&Apply\n&Decline', 2) == 1 then
    local plain = vim.deepcopy(edit)
    plain.changeAnnotations = nil
    vim.lsp.util.apply_workspace_edit(plain, encoding)
  end
end

--- Show an edit for review, once the user has paused. Returns why it cannot be, or nil.
---@param edit table a WorkspaceEdit
---@param client_id integer
---@return string|nil
function M.open(edit, client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  local encoding = client and client.offset_encoding or 'utf-16'
  local files, others = by_file(edit)
  local there = already_there(edit)
  if there then
    return there .. ' is there already'
  end
  local fault = stale(files)
  if fault then
    return fault
  end
  local attention = require('pointsman.attention')
  attention.free(function()
    local late = stale(files)
    if late then
      warn(late)
    elseif #others > 0 then
      apply_after_question(edit, encoding, files, others)
    else
      local arms = {}
      for _, file in ipairs(files) do
        arms[#arms + 1] = show(file, encoding, title_of(edit))
      end
      attention.seen(function()
        for _, arm in ipairs(arms) do
          arm()
        end
      end)
    end
  end, 'a proposal')
end

return M
