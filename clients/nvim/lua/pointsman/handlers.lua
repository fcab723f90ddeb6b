--- What the server sends by itself.
local M = {}

M['pointsman/didChangeStatus'] = function(_, status, ctx)
  require('pointsman.status').changed(status, ctx.client_id)
end

--- An edit with an annotation that wants the user's word is shown for review, not applied.
M['workspace/applyEdit'] = function(err, params, ctx, config)
  local review = require('pointsman.review')
  if params and review.wants(params.edit) then
    local fault = review.open(params.edit, ctx.client_id)
    if fault then
      vim.notify('Pointsman: ' .. fault, vim.log.levels.WARN)
    end
    return { applied = false, failureReason = fault or 'shown to the user, who takes what is wanted' }
  end
  return vim.lsp.handlers['workspace/applyEdit'](err, params, ctx, config)
end

M['$/progress'] = function(err, params, ctx, config)
  if params and require('pointsman.chat').delta(params.token, params.value) then
    return
  end
  return vim.lsp.handlers['$/progress'](err, params, ctx, config)
end

return M
