// @ts-check
import { spawnSync } from 'node:child_process';

// scrape-worker.mjs FLAVOUR [CORE]: holds the series of as many routes as the primary says, and changes all of them when it
// says `touch`: a scrape that finds nothing new is not what a busy service sees.
const [flavour = '', core] = process.argv.slice(2);
// A worker inherits the core of its primary, whose CPU is what is measured.
if (core) spawnSync('taskset', ['-a', '-c', '-p', core, String(process.pid)]);

const program = flavour === 'ours' ? './scrape-ours.mjs' : './scrape-aggregator.mjs';
const worker = await (await import(program)).createWorker(flavour);
let routes = 0;

process.on('disconnect', () => process.exit());
process.on('message', (/** @type {any} */ message) => {
  if (message?.type === 'routes') routes = message.count;
  else if (message?.type !== 'touch') return;
  for (let route = 0; route < routes; route++) worker.observe(route);
  process.send?.({ type: 'bench-done' });
});
process.send?.({ type: 'bench-started' });
