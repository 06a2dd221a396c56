// @ts-check
import { existsSync } from 'node:fs';
import { table } from '../harness/report.mjs';
import { requestCosts } from '../harness/servers.mjs';
import { serviceCosts } from '../harness/service.mjs';
import { floor, median, ratio } from '../harness/statistics.mjs';
import { staticPath, templatedPath } from '../servers/grown-paths.mjs';
import { OUR_FORMATS, scrapeCosts } from './scrape.mjs';

export const title = 'Growth';

const ROUTES = [5, 500, 5000];
const ROWS = [10, 10_000];
const WORKERS = [1, 2, 4, 8];
const SCRAPE_HEAD = Object.keys(OUR_FORMATS).flatMap((name) => [`${name}: ms`, 'block ms']);

/**
 * Measures the cost of more routes, more series and more workers.
 * @param {number} rounds
 */
export async function run(rounds) {
  const routes = await routeGrowth(rounds);
  const texts = [routes.text, await seriesGrowth(rounds), await workerGrowth(rounds)];
  return { title, text: texts.join('\n\n'), bars: routes.bars };
}

/**
 * The request is for the last route of the description, which a linear search would find last, or for each in turn.
 * @param {number} rounds
 */
async function routeGrowth(rounds) {
  const contestants = ROUTES.map((routes) => [
    routes,
    {
      program: 'ours-grown.mjs',
      args: [String(routes)],
      jobs: {
        'last static': get(lastStatic(routes)),
        'last templated': get(lastTemplated(routes)),
        'all in turn': get(everyPath(routes)),
      },
    },
  ]);
  const costs = await requestCosts(Object.fromEntries(contestants), rounds);
  const rows = [];
  const bars = [];
  const [few = 0, ...more] = ROUTES;
  for (const [kind, byRoutes] of Object.entries(costs)) {
    const cpu = (/** @type {number} */ routes) => (byRoutes[routes] ?? []).map((cost) => cost.cpu);
    const cells = [kind, floor(cpu(few)), median(cpu(few))];
    for (const routes of more) {
      const { median: times, floors } = ratio(cpu(routes), cpu(few));
      cells.push(floor(cpu(routes)), median(cpu(routes)), times, floors);
      bars.push({ what: `${routes} ÷ ${few} routes, ${kind}`, measured: times, limit: 1.1 });
    }
    rows.push(cells);
  }
  const head = ['route', `${few} routes: CPU µs, floor`, 'median'];
  for (const routes of more) head.push(`${routes} routes: floor`, 'median', 'ratio', 'of floors');
  return { text: `CPU of a request:\n\n${table(head, rows)}`, bars };
}

/** @param {string[]} paths */
const get = (paths) => ({ requests: paths.map((path) => ({ path })) });

/** @param {number} routes */
function lastStatic(routes) {
  return [staticPath(routes - (routes % 2 === 0 ? 2 : 1))];
}

/** @param {number} routes */
function lastTemplated(routes) {
  return [templatedPath(routes - (routes % 2 === 0 ? 1 : 2), 'some-id')];
}

/** @param {number} routes */
function everyPath(routes) {
  return Array.from({ length: routes }, (_, i) =>
    i % 2 === 0 ? staticPath(i) : templatedPath(i, 'some-id'),
  );
}

/**
 * Measures the cost of the number of (method, endpoint, status) counted so far, for a request
 * and for a scrape of one worker.
 * @param {number} rounds
 */
async function seriesGrowth(rounds) {
  const contestants = ROWS.map((rows) => [
    rows,
    {
      program: 'ours-grown.mjs',
      args: [String(ROUTES[0]), String(rows)],
      jobs: { last: get(lastTemplated(ROUTES[0] ?? 0)) },
    },
  ]);
  const requests = (await requestCosts(Object.fromEntries(contestants), rounds))['last'] ?? {};
  const costs = await scrapeCosts(1, [10, 100, 1000, 10_000], OUR_FORMATS, rounds);
  const rows = costs.map(({ routes, figures }) => {
    const cpu = (requests[routes] ?? []).map((cost) => cost.cpu);
    const request = cpu.length > 0 ? [floor(cpu), median(cpu)] : ['', ''];
    return [`${routes}`, ...request, ...scrapeFigures(figures)];
  });
  const head = ['rows', 'request: CPU µs, floor', 'median'];
  return `One worker that has counted so many (method, endpoint, status):\n\n${table([...head, ...SCRAPE_HEAD], rows)}`;
}

/**
 * More workers on the same core: what a request costs all processes together, and what a scrape of 100 routes costs.
 * @param {number} rounds
 */
async function workerGrowth(rounds) {
  const requests = existsSync('/proc/self/schedstat') ? await serviceCosts(WORKERS, rounds) : {};
  const rows = [];
  for (const workers of WORKERS) {
    const [cost] = await scrapeCosts(workers, [100], OUR_FORMATS, rounds);
    const cpu = requests[workers] ?? [];
    rows.push([`${workers}`, floor(cpu), median(cpu), ...scrapeFigures(cost?.figures ?? {})]);
  }
  const head = ['workers', 'request: CPU µs, floor', 'median'];
  return `The whole service, on one core (request), and a scrape of 100 routes:\n\n${table([...head, ...SCRAPE_HEAD], rows)}`;
}

/** @param {Record<string, import('./scrape.mjs').Scrape[]>} figures  of our formats */
function scrapeFigures(figures) {
  return Object.values(figures).flatMap((scrapes) => [
    median(scrapes.map(({ ms }) => ms)),
    median(scrapes.map(({ block }) => block)),
  ]);
}
