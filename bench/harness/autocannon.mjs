// @ts-check
import autocannon from 'autocannon';

// autocannon.mjs URL CONNECTIONS SECONDS PATH...: a load in a process of its own, its result as JSON.
const [url = '', connections, duration, ...paths] = process.argv.slice(2);
const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(duration),
  requests: paths.map((path) => ({ path })),
});
if (result.errors || result.non2xx)
  throw new Error(`${result.errors} errors, ${result.non2xx} responses not 2xx`);
console.log(JSON.stringify({ requests: result.requests.total, perSecond: result.requests.average }));
