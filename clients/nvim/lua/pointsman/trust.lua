--- `:Pointsman trust`: the user lets requests of this repository out, as far as policy does.
local M = {}

local ASKED = [[
Trust %s?
What your policy allows may then leave this machine from here. The rules in .pointsman are read as they are now;
they only take away, and a change of them ends the trust.]]

function M.ask()
  local client = require('pointsman.client').of(0)
  local folder = client and client.config.root_dir
  if folder and vim.fn.confirm(ASKED:format(folder), '&Trust\n&Cancel', 2) ~= 1 then
    return
  end
  local request = { command = 'pointsman.trustWorkspace', arguments = {} }
  require('pointsman.client').ask('workspace/executeCommand', request, function(trusted)
    vim.notify('Pointsman: trusted ' .. table.concat(trusted, ', '))
  end)
end

return M
