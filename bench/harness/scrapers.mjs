// @ts-check
import http from 'node:http';
import { setPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';

// scrapers.mjs PORT CLIENTS: scrapes whenever the bench says `{ seconds, everyMs }`: each client once every so many ms, spread
// evenly, or with 0 again as soon as it has its answer. Answers with the times that the scrapes took in ms.
const [port, clients = 1] = process.argv.slice(2).map(Number);
// They share a core with the load that measures latencies, and must not delay it.
setPriority(19);
const agent = new http.Agent({ keepAlive: true });

/** @returns {Promise<number>} ms */
function scrape() {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path: '/metrics', agent }, (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - start);
        else reject(new Error(`/metrics answered ${response.statusCode}`));
      });
    });
    request.on('error', reject);
  });
}

/**
 * @param {number} client
 * @param {{ seconds: number, everyMs: number }} plan
 */
async function scrapeAgainAndAgain(client, { seconds, everyMs }) {
  const start = performance.now();
  const times = [];
  for (let due = (everyMs * client) / clients; ; due += everyMs) {
    await setTimeout(Math.max(0, start + due - performance.now()));
    if (performance.now() - start >= seconds * 1000) return times;
    times.push(await scrape());
  }
}

process.on('disconnect', () => process.exit());
process.on('message', (/** @type {any} */ plan) => {
  const all = Array.from({ length: clients }, (_, client) => scrapeAgainAndAgain(client, plan));
  void Promise.all(all).then((times) => process.send?.(times.flat()));
});
process.send?.({ ready: true });
