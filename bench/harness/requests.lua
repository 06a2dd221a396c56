-- Sends the requests of a file that is named after "--", each in turn. For each, the file has its length on a line and then its bytes.
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], 'rb'))
  for length in function() return file:read('*n') end do
    file:read(1)
    requests[#requests + 1] = file:read(length)
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end
