// @ts-check Draws the status page from what /metrics says, which is asked again and again while the page is
//   looked at. All that is over time is kept here: a service that nobody looks at keeps nothing.
'use strict';

/** Seconds that the page shows, and milliseconds between its questions. */
const WINDOW_S = 15 * 60;
const INTERVAL_MS = 2_000;
/** The least time between two scrapes by their size: long ones cost the service more. 1 MB every 10 s. */
const MS_PER_BYTE = 10_000 / 2 ** 20;

/** @typedef {{ name: string, labels: Record<string, string>, value: number }} Sample */
/** @typedef {{ requests: number, failures: number, buckets: Map<number, number> }} Counts */
/** @typedef {{ at: number, endpoints: Map<string, Counts> }} Reading */
/**
 * @typedef {{ name: string, availability: number, latency: { threshold: number, ratio: number }, operations:
 *   { method: string, endpoint: string }[] }} Objective
 */

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/** @param {string} name @param {string} [text] @param {string} [className] */
function make(name, text, className = '') {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const LINE = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** @param {string} text @returns {Sample[]} */
function parse(text) {
  return text.split('\n').flatMap((line) => {
    const found = line.startsWith('#') ? null : LINE.exec(line);
    if (!found) return [];
    const labels = Object.fromEntries(
      [...(found[2] ?? '').matchAll(LABEL)].map(([, name = '', value = '']) => [
        name,
        value.replaceAll(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c)),
      ]),
    );
    return [{ name: found[1] ?? '', labels, value: Number(found[3]) }];
  });
}

/**
 * Finds the prefix of the metrics: the text before `request_count`.
 * @param {Sample[]} samples
 */
function prefixOf(samples) {
  const workers = samples.find(({ name }) => name.endsWith('requests_in_progress'));
  return workers ? workers.name.slice(0, -'requests_in_progress'.length) : '';
}

/** @returns {Counts} */
const nothing = () => ({ requests: 0, failures: 0, buckets: new Map() });

/**
 * Sums up the counts by method and endpoint.
 * @param {Sample[]} samples
 * @param {string} prefix
 * @returns {Map<string, Counts>}
 */
function countsOf(samples, prefix) {
  /** @type {Map<string, Counts>} */
  const counts = new Map();
  const of = (/** @type {Record<string, string>} */ { method = '', endpoint = '' }) => {
    const key = `${method} ${endpoint}`;
    const known = counts.get(key) ?? nothing();
    counts.set(key, known);
    return known;
  };
  for (const { name, labels, value } of samples) {
    if (name === `${prefix}request_count`) {
      const known = of(labels);
      known.requests += value;
      if (labels['http_status']?.startsWith('5')) known.failures += value;
    } else if (name === `${prefix}request_latency_seconds_bucket`) {
      of(labels).buckets.set(labels['le'] === '+Inf' ? Infinity : Number(labels['le']), value);
    }
  }
  return counts;
}

/**
 * Leaves out the page's own requests and health checks, which are no traffic.
 * @param {Iterable<[string, Counts]>} all
 */
const ofOthers = (all) =>
  [...all].filter(([key]) => !/ \/(metrics|status|status\/\{asset\}|livez|readyz)$/.test(key));

/**
 * Subtracts earlier counts.
 * @param {Counts} later
 * @param {Counts | undefined} earlier
 * @returns {Counts}
 */
function since(later, earlier) {
  // A service that began anew counts from 0.
  if (!earlier || earlier.requests > later.requests) return later;
  const buckets = new Map([...later.buckets].map(([le, n]) => [le, n - (earlier.buckets.get(le) ?? 0)]));
  return {
    requests: later.requests - earlier.requests,
    failures: later.failures - earlier.failures,
    buckets,
  };
}

/** @param {Iterable<Counts>} all @returns {Counts} */
function sum(all) {
  const total = nothing();
  for (const { requests, failures, buckets } of all) {
    total.requests += requests;
    total.failures += failures;
    for (const [le, n] of buckets) total.buckets.set(le, (total.buckets.get(le) ?? 0) + n);
  }
  return total;
}

/**
 * Estimates a quantile as Prometheus's histogram_quantile does.
 * @param {number} q
 * @param {Counts} counts
 * @returns {number | null} seconds
 */
function quantile(q, { buckets }) {
  const bounds = [...buckets.keys()].toSorted((a, b) => a - b);
  const total = buckets.get(Infinity) ?? 0;
  if (total === 0) return null;
  let [lower, below] = [0, 0];
  for (const bound of bounds) {
    const count = buckets.get(bound) ?? 0;
    if (count >= q * total && count > below) {
      return bound === Infinity ? lower : lower + ((bound - lower) * (q * total - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}

/** @param {number | null | undefined} s */
function time(s) {
  if (s === null || s === undefined) return '–';
  return s >= 1 ? `${s.toFixed(2)} s` : `${(1_000 * s).toFixed(s < 0.01 ? 1 : 0)} ms`;
}

/** @param {number} n */
const rate = (n) => (n < 100 ? n.toFixed(1) : String(Math.round(n)));
/** @param {number} part @param {number} whole */
const percent = (part, whole) =>
  whole === 0 ? '–' : `${((100 * part) / whole).toFixed(part === 0 ? 0 : 2)} %`;
/** @param {number} bytes */
const megabytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MB`;

/** @param {number} s */
function duration(s) {
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7_200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`;
}

/**
 * @param {string} id @param {string[]} titles @param {(string | { text: string,
 *   className: string })[][]} rows
 */
function table(id, titles, rows) {
  const head = make('tr');
  for (const title of titles) head.append(Object.assign(make('th', title), { scope: 'col' }));
  const body = rows.map((cells) => {
    const row = make('tr');
    for (const cell of cells)
      row.append(typeof cell === 'string' ? make('td', cell) : make('td', cell.text, cell.className));
    return row;
  });
  element(id).replaceChildren(make('thead'), make('tbody'));
  element(id).children[0]?.append(head);
  element(id).children[1]?.append(...body);
}

/** @type {Reading[]} */
const readings = [];
const colour = () => getComputedStyle(document.documentElement).getPropertyValue('--ink').trim();
const faint = () => getComputedStyle(document.documentElement).getPropertyValue('--line').trim();

/** @param {string} id @param {{ label: string, stroke: string, dash?: number[] }[]} series */
function plot(id, series) {
  const box = element(id);
  const axis = { stroke: colour, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1 } };
  // @ts-expect-error uPlot is the script before this one.
  const made = new uPlot(
    {
      width: box.clientWidth,
      height: 200,
      series: [{}, ...series.map((one) => ({ width: 2, ...one }))],
      axes: [axis, { ...axis, size: 55 }],
      scales: {
        y: {
          range: (/** @type {unknown} */ _u, /** @type {number} */ _min, /** @type {number} */ max) => [
            0,
            max > 0 ? 1.1 * max : 1,
          ],
        },
      },
    },
    [[], ...series.map(() => [])],
    box,
  );
  addEventListener('resize', () => made.setSize({ width: box.clientWidth, height: 200 }));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => made.redraw());
  return made;
}

const traffic = plot('traffic', [
  { label: 'requests/s', stroke: '#2f81f7' },
  { label: '5xx/s', stroke: '#e5534b', dash: [6, 3] },
]);
const latency = plot('latency', [
  { label: 'p50 ms', stroke: '#2da44e' },
  { label: 'p95 ms', stroke: '#bf8700', dash: [8, 3] },
  { label: 'p99 ms', stroke: '#a475f9', dash: [3, 3] },
]);

/** @type {(number | null)[][]} */
const points = [[], [], [], [], [], []];

/** @param {Reading} now @param {Reading | undefined} before */
function addPoint(now, before) {
  if (!before) return;
  const change = sum(
    ofOthers(now.endpoints).map(([key, counts]) => since(counts, before.endpoints.get(key))),
  );
  const seconds = now.at - before.at;
  const ms = [0.5, 0.95, 0.99].map((q) => quantile(q, change)).map((s) => (s === null ? null : 1_000 * s));
  const point = [now.at, change.requests / seconds, change.failures / seconds, ...ms];
  point.forEach((value, i) => points[i]?.push(value ?? null));
  while ((points[0]?.[0] ?? Infinity) < now.at - WINDOW_S) for (const line of points) line.shift();
  const [at, requests, failures, ...percentiles] = points;
  traffic.setData([at, requests, failures]);
  latency.setData([at, ...percentiles]);
  element('traffic').setAttribute(
    'aria-label',
    `${rate(point[1] ?? 0)} requests and ${rate(point[2] ?? 0)} failures per second now`,
  );
  element('latency').setAttribute(
    'aria-label',
    `The 99th percentile of the latency is ${time(quantile(0.99, change))} now`,
  );
}

/**
 * Returns the counts of the window by endpoint; all counts of the service while the window
 * is too short to mean anything.
 */
function inWindow() {
  const [first] = readings;
  const last = readings.at(-1) ?? { at: 0, endpoints: new Map() };
  const seconds = first ? last.at - first.at : 0;
  const isLong = seconds >= (2 * INTERVAL_MS) / 1_000;
  const endpoints = new Map(
    [...last.endpoints].map(([key, counts]) => [
      key,
      isLong ? since(counts, first?.endpoints.get(key)) : counts,
    ]),
  );
  return { endpoints, seconds: isLong ? seconds : undefined };
}

function drawEndpoints() {
  const { endpoints, seconds } = inWindow();
  element('window').textContent =
    seconds === undefined
      ? 'since the service began to count'
      : `last ${duration(seconds)}, as long as this page has looked`;
  const rows = [...endpoints]
    .filter(([, { requests }]) => requests > 0)
    .toSorted(([, a], [, b]) => b.requests - a.requests);
  table(
    'endpoints',
    ['Endpoint', seconds === undefined ? 'Requests' : 'Requests/s', '5xx', 'p50', 'p95', 'p99'],
    rows.map(([key, counts]) => [
      key,
      seconds === undefined ? String(counts.requests) : rate(counts.requests / seconds),
      { text: percent(counts.failures, counts.requests), className: counts.failures > 0 ? 'bad' : '' },
      ...[0.5, 0.95, 0.99].map((q) => time(quantile(q, counts))),
    ]),
  );
  return { total: sum(ofOthers(endpoints).map(([, counts]) => counts)), seconds };
}

/** @param {Objective[]} objectives @param {Map<string, Counts>} all */
function drawObjectives(objectives, all) {
  table(
    'objectives',
    ['Objective', 'Requests', 'Not failed', 'Of it burnt', 'Fast enough', 'Of it burnt '],
    objectives.map(({ name, availability, latency: { threshold, ratio }, operations }) => {
      const counts = sum(
        operations.map(({ method, endpoint }) => all.get(`${method} ${endpoint}`) ?? nothing()),
      );
      const slow = counts.requests - (counts.buckets.get(threshold) ?? 0);
      return [
        name,
        String(counts.requests),
        `≥ ${(100 * availability).toPrecision(4)} %`,
        burnt(counts.failures, counts.requests, availability),
        `≥ ${(100 * ratio).toPrecision(3)} % in ${time(threshold)}`,
        burnt(slow, counts.requests, ratio),
      ];
    }),
  );
}

/**
 * Returns the used share of an objective's error budget.
 * @param {number} bad
 * @param {number} all
 * @param {number} goal
 */
function burnt(bad, all, goal) {
  if (all === 0) return '–';
  const share = bad / all / (1 - goal);
  return { text: `${Math.round(100 * share)} %`, className: share > 1 ? 'bad' : 'good' };
}

/** @param {{ term: string, text: string, bad?: boolean }[]} facts */
function drawNow(facts) {
  element('now').replaceChildren(
    ...facts.map(({ term, text, bad }) => {
      const box = make('div');
      box.append(make('dt', term), make('dd', text, bad ? 'bad' : ''));
      return box;
    }),
  );
}

/** @param {any[]} workers as `koa-cluster-metrics status --json` has them */
function drawWorkers(workers) {
  table(
    'workers',
    ['Worker', 'PID', 'State', 'Age', 'Requests/s', 'p99', 'CPU', 'Memory', 'Loop delay', 'Restarts'],
    workers.map((one) => [
      String(one.worker),
      String(one.pid ?? '–'),
      {
        text: one.state !== 'starting' && one.silentSeconds > 3 ? 'silent' : one.state,
        className: one.state === 'ready' && one.silentSeconds <= 3 ? 'good' : 'bad',
      },
      duration(one.ageSeconds),
      one.requestsPerSecond === undefined ? '–' : rate(one.requestsPerSecond),
      time(one.p99Seconds),
      one.cpu === undefined ? '–' : `${Math.round(100 * one.cpu)} %`,
      one.rssBytes === undefined ? '–' : megabytes(one.rssBytes),
      time(one.eventLoopDelaySeconds),
      String(one.restarts),
    ]),
  );
}

/** @param {string} path */
async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: 'text/plain' }, cache: 'no-store' });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer;
}

/** @param {Objective[]} objectives */
async function look(objectives) {
  const [text, workers] = await Promise.all([
    ask('status/metrics.txt').then((answer) => answer.text()),
    ask('status/workers.json').then((answer) => answer.json()),
  ]);
  const samples = parse(text);
  const prefix = prefixOf(samples);
  const valuesOf = (/** @type {string} */ name) => samples.filter((sample) => sample.name === name);
  const total = (/** @type {string} */ name) => valuesOf(name).reduce((all, { value }) => all + value, 0);
  const now = { at: Date.now() / 1_000, endpoints: countsOf(samples, prefix) };
  addPoint(now, readings.at(-1));
  readings.push(now);
  while (readings.length > 1 && (readings[0]?.at ?? 0) < now.at - WINDOW_S) readings.shift();
  const { total: window, seconds } = drawEndpoints();
  const states = Object.fromEntries(
    valuesOf(`${prefix}workers`).map(({ labels, value }) => [labels['state'], value]),
  );
  const missing = total(`${prefix}scrape_workers_missing`);
  const shed = total(`${prefix}requests_shed_total`);
  const starting = states['starting'] ?? 0;
  drawNow([
    { term: 'Workers ready', text: String(states['ready'] ?? 0), bad: !states['ready'] },
    { term: 'Starting or missing', text: String(starting), bad: starting > 0 },
    { term: 'Not answering', text: String(missing), bad: missing > 0 },
    { term: 'Requests/s', text: seconds === undefined ? '–' : rate(window.requests / seconds) },
    { term: 'Failed (5xx)', text: percent(window.failures, window.requests), bad: window.failures > 0 },
    { term: 'p99', text: time(quantile(0.99, window)) },
    { term: 'In progress', text: String(total(`${prefix}requests_in_progress`)) },
    { term: 'Refused for overload', text: String(shed), bad: shed > 0 },
    { term: 'Event-loop lag p99', text: time(total('nodejs_eventloop_lag_p99_seconds')) },
    { term: 'Memory', text: megabytes(total('process_resident_memory_bytes')) },
  ]);
  drawObjectives(objectives, now.endpoints);
  drawWorkers(workers);
  const exits = valuesOf(`${prefix}worker_exits_total`).filter(({ value }) => value > 0);
  element('exits').textContent =
    `Ended: ${exits.map(({ labels, value }) => `${value} ${labels['reason']}`).join(', ') || 'none'}.`;
  return text.length;
}

/** @param {string} text @param {boolean} bad */
function say(text, bad) {
  const state = element('state');
  state.className = bad ? 'bad' : '';
  // A screen reader reads every change of this text, so it changes only when the news do.
  if (state.textContent !== text) state.textContent = text;
}

async function run() {
  /** @type {Objective[] | undefined} */
  let objectives;
  for (;;) {
    let pause = INTERVAL_MS;
    // A hidden page asks for nothing.
    if (document.visibilityState === 'visible') {
      try {
        objectives ??= await (await ask('status/objectives.json')).json();
        pause = Math.max(INTERVAL_MS, (await look(objectives)) * MS_PER_BYTE);
        say('Live', false);
      } catch (error) {
        say(`No answer since ${new Date().toLocaleTimeString()}: ${String(error)}`, true);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(pause, 30_000)));
  }
}

void run();
