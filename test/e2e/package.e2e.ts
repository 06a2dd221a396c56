import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { asText, scrapeProtobuf, startsIn } from '../support/metric-families';
import { disposeAll, Service } from '../support/service';

jest.setTimeout(300_000);

const ROOT = resolve(__dirname, '../..');
const run = promisify(execFile);

let folder: string;
let tarball: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'package-test-'));
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT });
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '');
});
afterEach(disposeAll);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An empty folder in which the package has been installed, with others beside it. */
async function installed(name: string, packages: readonly string[] = []): Promise<string> {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }');
  await npm(path, 'install', tarball, ...packages);
  return path;
}

function npm(cwd: string, ...args: string[]): Promise<{ stdout: string }> {
  return run('npm', [...args, '--no-audit', '--no-fund'], { cwd, maxBuffer: 2 ** 24 });
}

function write(path: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
}

const APP = `
const app = new Koa();
const router = new Router({ prefix: '/users' });
router.get('/:id', (ctx) => void (ctx.body = { id: ctx.params.id }));
app.use(router.routes());`;

test('an app is served by a line of CommonJS, of an ES module, and by the command', async () => {
  const path = await installed('app', ['koa@3', '@koa/router@15', 'express@5']);
  write(path, {
    'app.js': `const Koa = require('koa'); const { Router } = require('@koa/router');${APP}\nmodule.exports = app;`,
    'app.mjs': `import Koa from 'koa'; import { Router } from '@koa/router';${APP}\nexport default async () => app;`,
    'express.js': `const app = require('express')(); const users = require('express').Router();
      users.get('/:id', (req, res) => res.json({ id: req.params.id }));
      app.use('/users', users);
      module.exports = app;`,
    'serve.js': `require('koa-cluster-metrics').serve(() => require('./app.js'));`,
    'serve.mjs': `import { serve } from 'koa-cluster-metrics';\nimport load from './app.mjs';\nawait serve(load);`,
  });
  const command = join(path, 'node_modules/.bin/koa-cluster-metrics');
  const ways: [string, string[]][] = [
    [join(path, 'serve.js'), []],
    [join(path, 'serve.mjs'), []],
    [command, ['start', 'app.js']],
    [command, ['start', 'app.mjs']],
    [command, ['start', 'express.js']],
  ];
  for (const [program, args] of ways) {
    const service = await Service.start({ program, args, cwd: path });
    expect((await service.get('/users/7')).body.toString()).toBe('{"id":"7"}');
    const labels = { method: 'GET', endpoint: '/users/:id', http_status: '200' };
    const counted = total(await service.scrape(), 'flask_app_request_count', labels);
    expect({ program, args, counted }).toEqual({ program, args, counted: 1 });
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  }
});

test('metrics of @prometheus-io/client are merged as prom-client’s are', async () => {
  // The package does not run on an older Node.
  const isOld = Number(process.versions.node.split('.')[0]) < 22;
  const path = await installed('successor', ['@prometheus-io/client@0.16']);
  if (isOld) await npm(path, 'install', '--ignore-scripts=false', 'node@24');
  write(path, {
    'serve.mjs': `
import { serve } from 'koa-cluster-metrics';
import { Counter, Gauge, Histogram, collectDefaultMetrics } from '@prometheus-io/client';
collectDefaultMetrics();
const jobs = new Counter({ name: 'jobs_total', help: 'Jobs.', labelNames: ['kind'] });
const sizes = new Histogram({ name: 'sizes', help: 'Sizes.', buckets: [1, 5] });
new Gauge({ name: 'load', help: 'Load.', aggregator: 'max' }).set(3);
await serve((req, res) => {
  jobs.inc({ kind: 'mail' });
  sizes.observe(2);
  res.end(String(process.pid));
});`,
  });
  const service = await Service.start({
    program: join(path, 'serve.mjs'),
    cwd: path,
    ...(isOld && { command: [join(path, 'node_modules/.bin/node')] }),
  });
  await service.allReady(2);
  const pids = new Set<string>();
  let requests = 0;
  for (; pids.size < 2; requests += 1) pids.add((await service.get('/')).body.toString());
  const families = await eventually('workers have been asked again', 10_000, async () => {
    const scraped = await service.scrape();
    return total(scraped, 'jobs_total', { kind: 'mail' }) === requests && scraped;
  });
  expect(total(families, 'sizes_bucket', { le: '5' })).toBe(requests);
  expect(total(families, 'load')).toBe(3);
  expect(families.get('process_cpu_seconds_total')?.samples).toHaveLength(1);
  const told = await scrapeProtobuf(service.port);
  expect(total(asText(told), 'sizes_sum')).toBe(2 * requests);
  expect(startsIn(told).has('jobs_total{kind="mail"}')).toBe(true);
});

test('declarations hold in a strict project, under both ways of resolving modules', async () => {
  const path = await installed('types', ['typescript@7.0.2', '@types/node@20', 'koa@3', '@types/koa@3']);
  write(path, {
    'uses.ts': `
import Koa from 'koa';
import { defineService, durableCounter, Problem, run, serve } from 'koa-cluster-metrics';
import { clusterMetrics, measure } from 'koa-cluster-metrics/metrics';

const app = new Koa();
const metrics = clusterMetrics({ prefix: 'shop_' });
app.use(measure(metrics, { endpoint: (ctx) => ctx.path }));
export const started: Promise<void> = serve(app, { endpoint: (ctx) => ctx.path });
export const made: Promise<void> = serve((pool: { end(): void }) => new Koa().use((ctx) => void (ctx.body = typeof pool.end)), {
  start: async ({ log, config }) => { log.info({ port: config.port }, 'starting'); return { end() {} }; },
  ready: { pool: (pool) => typeof pool.end === 'function' },
  stop: (pool) => pool.end(),
});
export const listening: Promise<void> = serve((req, res) => void res.end(req.url));
export const described: Promise<void> = run(defineService({ description: 'openapi.yaml', handlers: {} }));
export const problem: Error = new Problem(404, 'No such thing.');
const orders = durableCounter({ name: 'orders_total', help: 'Orders.', labelNames: ['kind'] });
orders.inc({ kind: 'gift' }, 2);
// @ts-expect-error not a label of it
orders.inc({ colour: 'red' });
// @ts-expect-error a number is no app
void serve(5);
`,
  });
  for (const [module, moduleResolution] of [
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ] as const) {
    const options = { module, moduleResolution, target: 'es2023', strict: true, skipLibCheck: false };
    const compilerOptions = { ...options, noEmit: true, esModuleInterop: true, types: ['node'] };
    write(path, { 'tsconfig.json': JSON.stringify({ compilerOptions, files: ['uses.ts'] }) });
    const checked = await run(join(path, 'node_modules/.bin/tsc'), [], { cwd: path }).catch(
      (error: unknown) => error as { stdout: string }, // of execFile
    );
    expect(checked.stdout).toBe('');
  }
});

test('a project that init makes is installed, tested, built and served', async () => {
  const at = await installed('home');
  const command = join(at, 'node_modules/.bin/koa-cluster-metrics');
  await run(command, ['init', 'my-api'], { cwd: at });
  const path = join(at, 'my-api');
  await npm(path, 'install');
  await npm(path, 'test');
  await npm(path, 'run', 'typecheck');
  await npm(path, 'run', 'build');
  // A host that runs the service has no development tools.
  await npm(path, 'prune', '--omit=dev');
  const service = await Service.start({ program: join(path, 'dist/main.js'), cwd: path });
  expect((await service.get('/openapi.json')).status).toBe(200);
  expect((await service.get('/docs')).status).toBe(200);
  const labels = { endpoint: '/openapi.json', http_status: '200' };
  expect(total(await service.scrape(), 'flask_app_request_count', labels)).toBe(1);
});
