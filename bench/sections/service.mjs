// @ts-check
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { load } from '../harness/load.mjs';
import { ask, childrenOf, startNode, stop } from '../harness/process.mjs';
import { table } from '../harness/report.mjs';
import { interleave } from '../harness/rounds.mjs';
import { residentMemory, startService, startWatt, treeCost } from '../harness/service.mjs';
import { floor, median } from '../harness/statistics.mjs';
import { withStarts } from '../harness/take-over.mjs';

export const title = 'The whole service: cores, memory, time to ready, balance';

const OURS = 'this service';
const FASTIFY = 'Fastify + fastify-metrics';
const WATT = 'Koa on Watt';
/** Started as many workers behind Node's cluster. */
const CLUSTERS = { 'node:http': ['node-http.mjs'], [FASTIFY]: ['fastify.mjs', 'metrics'] };
const CONTESTANTS = [
  OURS,
  ...Object.keys(CLUSTERS),
  // Needs a newer Node.
  ...(process.versions.node.startsWith('20.') ? [] : [WATT]),
];
const CLUSTER_OF = fileURLToPath(new URL('../servers/cluster-of.mjs', import.meta.url));
const NOTE = `All processes of each, the load's too, share the machine's ${availableParallelism()} cores and are bound to none. The others are behind Node's own cluster, their metrics
each worker's own; Watt has threads for workers, and no router of a description. CPU is that of all processes together for a small GET.`;
const BALANCE_WORKERS = 4;
const CONNECTIONS = 60;

/** @typedef {{ text: string, bars?: import('../harness/report.mjs').Bar[], headline?: import('../harness/results.mjs').Headline[] }} Part */
/** @typedef {{ child: import('node:child_process').ChildProcess, port: number }} Running */

/**
 * Workers on several cores, memory, start and balance of connections, beside others behind Node's cluster.
 * @param {number} rounds
 */
export async function run(rounds) {
  if (!existsSync('/proc/self/schedstat')) return { title, text: 'Needs Linux.', bars: [] };
  /** @type {Part[]} */
  const parts = [
    await cores(rounds),
    await memory(rounds),
    await timeToReady(rounds),
    await takingOver(rounds),
    await balance(),
  ];
  return {
    title,
    text: [NOTE, ...parts.map(({ text }) => text)].join('\n\n'),
    bars: parts.flatMap(({ bars }) => bars ?? []),
    headline: parts.flatMap(({ headline }) => headline ?? []),
  };
}

/**
 * @param {string} name
 * @param {number} workers
 * @returns {Promise<Running>}
 */
async function start(name, workers) {
  if (name === OURS) return startService(workers, { bound: false });
  if (name === WATT) return startWatt(workers);
  const [program = '', ...args] = CLUSTERS[/** @type {keyof typeof CLUSTERS} */ (name)];
  const child = startNode([CLUSTER_OF, String(workers), program, ...args]);
  return { child, port: (await ask(child)).port };
}

/** @param {number} rounds */
async function cores(rounds) {
  const rows = [];
  for (const workers of [1, 2, 4, 8].filter((count) => count <= availableParallelism())) {
    const running = [];
    try {
      for (const name of CONTESTANTS) {
        const target = { ...(await start(name, workers)), bound: false };
        running.push({ name, ...target });
        await load({ ...target, requests: [{ path: '/' }], seconds: 2 });
      }
      const measures = running.map((target) => [target.name, () => treeCost(target)]);
      const costs = await interleave(Object.fromEntries(measures), rounds);
      for (const [name, figures] of Object.entries(costs)) {
        const cpu = figures.map((cost) => cost.cpu);
        const rates = figures.map((cost) => cost.perSecond);
        rows.push([`${name}, ${workers}`, floor(cpu), median(cpu), median(rates), Math.max(...rates)]);
      }
    } finally {
      for (const { child } of running) await stop(child);
    }
  }
  const head = ['workers', 'CPU µs, floor', 'median', 'requests/s, median', 'best'];
  return { text: table(head, rows) };
}

/**
 * Resident memory after a load, of the primary and of a worker.
 * @param {number} rounds
 */
async function memory(rounds) {
  const sizes = await interleave(
    Object.fromEntries(CONTESTANTS.map((name) => [name, () => sizesOf(name)])),
    rounds,
  );
  const figures = CONTESTANTS.map((name) => {
    const all = sizes[name] ?? [];
    return {
      name,
      primary: median(all.map((size) => size.primary)),
      worker: median(all.map((size) => size.worker)),
      all: median(all.map((size) => size.all)),
    };
  });
  const [ours, , fastify] = figures;
  const worker = [ours?.worker ?? null, fastify?.worker ?? null, null, null];
  return {
    text: `Resident memory after three seconds of load with two workers:\n\n${table(
      ['', 'primary, MB', 'a worker', 'all'],
      figures.map((size) => [size.name, size.primary, size.worker, size.all]),
    )}`,
    bars: [
      { what: 'memory of a worker, MB', measured: ours?.worker ?? NaN, limit: 85 },
      { what: 'memory of the primary, MB', measured: ours?.primary ?? NaN, limit: 50 },
    ],
    headline: [{ what: 'memory of a worker', unit: 'MB', figures: worker }],
  };
}

/** @param {string} name */
async function sizesOf(name) {
  const target = await start(name, 2);
  try {
    await load({ ...target, bound: false, requests: [{ path: '/' }], seconds: 3 });
    return residentMemory(target.child);
  } finally {
    await stop(target.child);
  }
}

/**
 * Measures the time from the start of the primary until eight workers answer.
 * @param {number} rounds
 */
async function timeToReady(rounds) {
  const times = await interleave(
    Object.fromEntries(CONTESTANTS.map((name) => [name, () => startTime(name)])),
    rounds,
  );
  const rows = Object.entries(times).map(([name, all]) => [name, floor(all), median(all)]);
  return {
    text: `From the start until eight workers answer:\n\n${table(['', 'ms, floor', 'median'], rows)}`,
  };
}

/** @param {string} name */
async function startTime(name) {
  const begin = performance.now();
  const { child } = await start(name, 8);
  const ms = performance.now() - begin;
  await stop(child);
  return ms;
}

/**
 * Compares a first start with one that takes over the counts of 8 workers in 1,000 rows each.
 * @param {number} rounds
 */
async function takingOver(rounds) {
  const { afresh = [], after = [] } = await withStarts((measured) =>
    interleave({ afresh: () => measured(), after: () => measured({ workers: 8, rows: 1000 }) }, 2 * rounds),
  );
  const more = (/** @type {'ms' | 'cpu'} */ field) =>
    median(after.map((one, round) => one[field] - (afresh[round]?.[field] ?? NaN)));
  const row = (/** @type {string} */ name, /** @type {'ms' | 'cpu'} */ field) => [
    name,
    median(afresh.map((one) => one[field])),
    median(after.map((one) => one[field])),
    more(field),
  ];
  const head = ['', 'afresh', 'taking over 8 × 1,000 rows', 'more, median of rounds'];
  return {
    text: `From the start until the first of two workers is ready, after a service that was killed with all its workers:\n\n${table(
      head,
      [row('ms', 'ms'), row('CPU ms of the primary', 'cpu')],
    )}`,
    bars: [{ what: 'start that takes over 8 × 1,000 rows, ms more', measured: more('ms'), limit: 20 }],
  };
}

/**
 * Counts the kept connections of each worker, fewest first: opened while nothing
 * runs, and while all are busy.
 */
async function balance() {
  const rows = [];
  for (const name of [OURS, ...Object.keys(CLUSTERS)]) {
    const target = await start(name, BALANCE_WORKERS);
    try {
      rows.push([name, await keptBy(target), await keptUnderLoad(target)]);
    } finally {
      await stop(target.child);
    }
  }
  const text = `${CONNECTIONS} kept connections on ${BALANCE_WORKERS} workers, opened one after the other, by worker:`;
  return { text: `${text}\n\n${table(['', 'on idle workers', 'under load'], rows)}` };
}

/** @param {Running} target */
async function keptUnderLoad(target) {
  const loaded = load({ ...target, bound: false, requests: [{ path: '/' }], seconds: 6 });
  // Half a second for the load's own connections, which are not counted, and are there until the others have been.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const kept = await keptBy(target);
  await loaded;
  return kept;
}

/** @param {Running} target */
async function keptBy({ child, port }) {
  const workers = childrenOf(child.pid ?? 0);
  const before = workers.map(openSockets);
  const sockets = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n');
    await once(socket, 'data');
  }
  const counts = workers.map((pid, i) => openSockets(pid) - (before[i] ?? 0));
  for (const socket of sockets) socket.destroy();
  return counts.toSorted((a, b) => a - b).join(' / ');
}

/** @param {number} pid */
function openSockets(pid) {
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      // Closed since it was listed.
      return '';
    }
  });
  return targets.filter((target) => target.startsWith('socket:')).length;
}
