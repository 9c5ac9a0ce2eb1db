-- One CloudEvent a request, each with an id of its own. `wait` in the environment: ms between two of a connection.
local threads, run, wait = 0, os.getenv("LINESHAFT_RUN"), tonumber(os.getenv("LINESHAFT_WAIT_MS"))
local number = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function request()
  number = number + 1
  local event = run .. "-" .. id .. "-" .. number
  return wrk.format("POST", nil, nil, (os.getenv("LINESHAFT_BODY"):gsub("@ID@", event)))
end

if wait > 0 then
  function delay()
    return math.random(0, 2 * wait)
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests": %d, "duration_us": %d, "failed": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
