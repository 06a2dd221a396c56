// @ts-check
import autocannon from 'autocannon';
import { readFileSync } from 'node:fs';

// autocannon.mjs CONNECTIONS SECONDS URL FILE: a load in a process of its own with the requests of that file, its result as JSON.
const [connections, duration, url = '', file = ''] = process.argv.slice(2);
const { requests, errors, non2xx } = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(duration),
  requests: JSON.parse(readFileSync(file, 'utf8')),
});
console.log(
  JSON.stringify({
    requests: requests.total,
    perSecond: requests.average,
    refused: non2xx,
    failed: errors > 0,
  }),
);
