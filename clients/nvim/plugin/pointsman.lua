-- Only names the command: everything else loads when it is used, or by `setup`.
if vim.g.loaded_pointsman then
  return
end
vim.g.loaded_pointsman = true

vim.api.nvim_create_user_command('Pointsman', function(command)
  require('pointsman.commands').run(command)
end, {
  nargs = '*',
  range = true,
  complete = function(lead, line)
    return require('pointsman.commands').complete(lead, line)
  end,
  desc = 'Pointsman: ask, chat, refactor, docs, tests, explain, status, pause, audit',
})
