// @ts-check
import { existsSync } from 'node:fs';
import { table } from '../harness/report.mjs';
import { requestCosts } from '../harness/servers.mjs';
import { serviceCosts } from '../harness/service.mjs';
import { floor, median, ratio } from '../harness/statistics.mjs';
import { staticPath, templatedPath } from '../servers/grown-paths.mjs';
import { scrapeCosts } from './scrape.mjs';

export const title = 'Growth';

const FEW_ROUTES = 5;
const MANY_ROUTES = 500;
const ROWS = [10, 10_000];
const WORKERS = [1, 2, 4, 8];
const SCRAPE_HEAD = ['scrape: ms', 'CPU ms', 'block ms'];

/**
 * What more routes, more series and more workers cost.
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
  const rows = [];
  const bars = [];
  const kinds = { 'last static': lastStatic, 'last templated': lastTemplated, 'all in turn': everyPath };
  for (const [kind, pathsOf] of Object.entries(kinds)) {
    const contestant = (/** @type {number} */ routes) => ({
      program: 'ours-grown.mjs',
      args: [String(routes)],
      paths: pathsOf(routes),
    });
    const costs = await requestCosts({ few: contestant(FEW_ROUTES), many: contestant(MANY_ROUTES) }, rounds);
    const [few = [], many = []] = [costs['few'], costs['many']].map((all) => all?.map(({ cpu }) => cpu));
    const { median: times, floors } = ratio(many, few);
    rows.push([kind, floor(few), median(few), floor(many), median(many), times, floors]);
    bars.push({ what: `${MANY_ROUTES} ÷ ${FEW_ROUTES} routes, ${kind}`, measured: times, limit: 1.1 });
  }
  const head = ['route', `${FEW_ROUTES} routes: CPU µs, floor`, 'median'];
  const text = table([...head, `${MANY_ROUTES} routes: floor`, 'median', 'ratio', 'of floors'], rows);
  return { text: `CPU of a request:\n\n${text}`, bars };
}

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
 * How many (method, endpoint, status) have been counted before: to a request, and to a scrape of one worker.
 * @param {number} rounds
 */
async function seriesGrowth(rounds) {
  const contestants = ROWS.map((rows) => [
    rows,
    { program: 'ours-grown.mjs', args: [String(FEW_ROUTES), String(rows)], paths: lastTemplated(FEW_ROUTES) },
  ]);
  const requests = await requestCosts(Object.fromEntries(contestants), rounds);
  const costs = await scrapeCosts(1, [10, 100, 1000, 10_000], ['ours'], rounds);
  const rows = costs.map(({ routes, figures: { ours = [] } }) => {
    const cpu = (requests[routes] ?? []).map((cost) => cost.cpu);
    return [
      `${routes}`,
      median(ours.map(({ samples }) => samples)),
      cpu.length > 0 ? floor(cpu) : '',
      cpu.length > 0 ? median(cpu) : '',
      ...scrapeFigures(ours),
    ];
  });
  const head = ['rows', 'samples', 'request: CPU µs, floor', 'median'];
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
    const [cost] = await scrapeCosts(workers, [100], ['ours'], rounds);
    const cpu = requests[workers] ?? [];
    rows.push([`${workers}`, floor(cpu), median(cpu), ...scrapeFigures(cost?.figures['ours'] ?? [])]);
  }
  const head = ['workers', 'request: CPU µs, floor', 'median'];
  return `The whole service, on one core (request), and a scrape of 100 routes:\n\n${table([...head, ...SCRAPE_HEAD], rows)}`;
}

/** @param {readonly import('./scrape.mjs').Scrape[]} scrapes */
function scrapeFigures(scrapes) {
  const times = scrapes.map(({ ms }) => ms);
  const blocks = scrapes.map(({ block }) => block);
  return [median(times), median(scrapes.map(({ cpu }) => cpu)) / 1000, median(blocks)];
}
