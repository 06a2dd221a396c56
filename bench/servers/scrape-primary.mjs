// @ts-check
import cluster from 'node:cluster';
import { once } from 'node:events';
import { existsSync, openSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

// scrape-primary.mjs ours|prom-client|@prometheus-io/client WORKERS [CORE]: a primary whose workers hold series. The bench says how many routes
// they have (`{ type: 'routes' }`) and asks for a scrape (`{ type: 'scrape', format }`).
const SCHEDSTAT = '/proc/self/schedstat';
const schedstat = existsSync(SCHEDSTAT) ? openSync(SCHEDSTAT, 'r') : undefined;
const buffer = Buffer.alloc(64);

const [flavour = '', workers, core] = process.argv.slice(2);
const program = flavour === 'ours' ? './scrape-ours.mjs' : './scrape-aggregator.mjs';
const primary = await (await import(program)).createPrimary(flavour);

cluster.setupPrimary({
  exec: fileURLToPath(new URL('scrape-worker.mjs', import.meta.url)),
  args: [flavour, core ?? ''],
});

for (let i = 0; i < Number(workers); i++) await once(primary.fork(), 'message');
process.on('disconnect', () => process.exit());
process.on('message', (message) => void answer(message));
process.send?.({ ready: true });

/** @param {any} message */
async function answer(message) {
  await tellWorkers(message.type === 'routes' ? message : { type: 'touch' });
  process.send?.(message.type === 'scrape' ? await scrape(message.format) : { done: true });
}

/**
 * Every worker does it and says so.
 * @param {object} message
 */
function tellWorkers(message) {
  const all = Object.values(cluster.workers ?? {});
  return Promise.all(
    all.map((worker) => {
      const done = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
        worker?.on('message', function onMessage(reply) {
          if (reply?.type !== 'bench-done') return;
          worker.off('message', onMessage);
          resolve();
        });
      });
      worker?.send(message);
      return done;
    }),
  );
}

/**
 * Time to answer and longest block of this process in ms, its CPU in µs.
 * @param {string} [format]  of those that ours has
 */
async function scrape(format) {
  const blocks = watchBlocks();
  // The watching is under way when the scrape begins, and sees what comes after its last step.
  await setTimeout(20);
  const cpu = process.cpuUsage();
  const start = performance.now();
  const exposition = await primary.gather(format);
  // The text is made bytes, which are sent: a text that was put together piece by
  // piece becomes whole only then.
  const bytes = typeof exposition === 'string' ? Buffer.from(exposition) : exposition;
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  await setTimeout(5);
  return {
    ms,
    cpu: user + system,
    block: blocks.longest(start),
    bytes: bytes.length,
  };
}

/** Looks every millisecond how long it was not its turn, without the time in which other processes had the core. */
function watchBlocks() {
  let last = performance.now();
  let waited = waitedForCore();
  /** @type {{ end: number, ms: number }[]} */
  const gaps = [];
  const timer = setInterval(() => {
    const [now, waitedNow] = [performance.now(), waitedForCore()];
    gaps.push({ end: now, ms: now - last - (waitedNow - waited) });
    [last, waited] = [now, waitedNow];
  }, 1);
  return {
    longest(/** @type {number} */ since) {
      clearInterval(timer);
      return Math.max(...gaps.filter(({ end }) => end > since).map(({ ms }) => ms));
    },
  };
}

/** Milliseconds that the main thread was ready to run while something else had its core; 0 where nobody knows. */
function waitedForCore() {
  if (schedstat === undefined) return 0;
  const length = readSync(schedstat, buffer, 0, buffer.length, 0);
  return Number(buffer.toString('latin1', 0, length).split(' ')[1]) / 1e6;
}
