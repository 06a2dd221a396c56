import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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
  const path = await installed('app', ['koa@3', '@koa/router@15', 'express@5', 'fastify@5']);
  write(path, {
    'app.js': `const Koa = require('koa'); const { Router } = require('@koa/router');${APP}\nmodule.exports = app;`,
    'app.mjs': `import Koa from 'koa'; import { Router } from '@koa/router';${APP}\nexport default async () => app;`,
    'express.js': `const app = require('express')(); const users = require('express').Router();
      users.get('/:id', (req, res) => res.json({ id: req.params.id }));
      app.use('/users', users);
      module.exports = app;`,
    'routes.js': `module.exports = async (app) => { app.get('/users/:id', async ({ params }) => params); };`,
    'fastify.js': sample('docs/migrating.md', 'js', 'fastify'),
    'serve.js': `require('koa-cluster-metrics').serve(() => require('./app.js'));`,
    'module.js': `require('koa-cluster-metrics').serve(() => import('./app.mjs'));`,
    'serve.mjs': `import { serve } from 'koa-cluster-metrics';\nimport load from './app.mjs';\nawait serve(load);`,
  });
  const command = join(path, 'node_modules/.bin/koa-cluster-metrics');
  const ways: [string, string[]][] = [
    [join(path, 'serve.js'), []],
    [join(path, 'serve.mjs'), []],
    [join(path, 'fastify.js'), []],
    [join(path, 'module.js'), []],
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

test('metrics of @prometheus-io/client, and of another prom-client, are merged as those of the service’s are', async () => {
  // The package does not run on an older Node.
  const isOld = Number(process.versions.node.split('.')[0]) < 22;
  const path = await installed('successor', ['@prometheus-io/client@0.16', 'prom-client@14']);
  if (isOld) await npm(path, 'install', '--ignore-scripts=false', 'node@24');
  write(path, {
    'serve.mjs': `
import { serve } from 'koa-cluster-metrics';
import { Counter, Gauge, Histogram, collectDefaultMetrics } from '@prometheus-io/client';
import older from 'prom-client';
collectDefaultMetrics();
older.collectDefaultMetrics();
const orders = new older.Counter({ name: 'orders_total', help: 'Orders.' });
const jobs = new Counter({ name: 'jobs_total', help: 'Jobs.', labelNames: ['kind'] });
const sizes = new Histogram({ name: 'sizes', help: 'Sizes.', buckets: [1, 5] });
new Gauge({ name: 'load', help: 'Load.', aggregator: 'max' }).set(3);
await serve((req, res) => {
  jobs.inc({ kind: 'mail' });
  sizes.observe(2);
  orders.inc();
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
  expect(total(families, 'orders_total')).toBe(requests);
  expect(families.get('process_cpu_seconds_total')?.samples).toHaveLength(1);
  const told = await scrapeProtobuf(service.port);
  expect(total(asText(told), 'sizes_sum')).toBe(2 * requests);
  expect(startsIn(told).has('jobs_total{kind="mail"}')).toBe(true);
});

test('metrics of an app’s own prom-client are found by the file that the command runs', async () => {
  const path = await installed('elsewhere');
  const api = join(path, 'services/api');
  mkdirSync(api, { recursive: true });
  write(api, {
    'package.json': '{ "private": true }',
    'app.js': `
const { Counter } = require('prom-client');
new Counter({ name: 'orders_total', help: 'Orders.' }).inc(3);
module.exports = (req, res) => res.end();`,
  });
  await npm(api, 'install', 'prom-client@14');
  const program = join(path, 'node_modules/koa-cluster-metrics/dist/cli/main.js');
  const service = await Service.start({ program, args: ['start', 'services/api/app.js'], cwd: path });
  await service.allReady(2);
  await eventually('both have been asked', 10_000, async () => {
    return total(await service.scrape(), 'orders_total') === 6;
  });
});

test('declarations hold in a strict project, under both ways of resolving modules', async () => {
  const types = ['@types/node@20', '@types/koa@3', '@types/express@5'];
  const path = await installed('types', ['typescript@7.0.2', 'koa@3', '@koa/router@15', ...types]);
  write(path, {
    'uses.ts': `
import type { Express, Request } from 'express';
import Koa from 'koa';
import { Router, type RouterContext } from '@koa/router';
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
interface Fields { db: { name: string } }
const typed = new Koa<{ user?: string }, Fields>();
const router = new Router<{ user?: string }, Fields>();
type Routed = RouterContext<{ user?: string }, Fields>;
export const routed: Promise<void> = serve(typed.use(router.routes()), { endpoint: (ctx: Routed) => ctx._matchedRoute });
app.use(measure(metrics, { endpoint: (ctx: RouterContext) => ctx._matchedRoute }));
declare const express: Express;
export const express5: Promise<void> = serve(express, { endpoint: (req: Request) => req.baseUrl });
export const pooled: Promise<void> = serve((pool: number) => express, { start: () => 5, endpoint: (req: Request) => req.baseUrl, stop: (pool) => pool.toFixed() });
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

/** The samples of a page in one language, in their order. */
function samples(page: string, language: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, code = '']) =>
    name === language ? [code] : [],
  );
}

/** The first sample of a page that has this text. */
function sample(page: string, language: string, part: string): string {
  const found = samples(page, language).find((code) => code.includes(part));
  if (found === undefined) throw new Error(`${page} has no sample with ${part}`);
  return found;
}

const SCHEME = '    apiKey: { type: apiKey, in: header, name: X-API-Key }\n';
const PG = `declare module 'pg' {
  export class Pool {
    on(event: 'error', hear: (err: Error) => void): void;
    query(text: string, values?: readonly unknown[]): Promise<{ rows: { id: string }[] }>;
    end(): Promise<void>;
  }
}
`;
const PICTURES = `  /pictures:
    post:
      operationId: addPicture
      responses: { '200': { description: Kept., content: { application/json: { schema: { type: object } } } } }
`;
const ADD_PICTURE = `import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Handler } from 'koa-cluster-metrics/handler';
const FOLDER = tmpdir();
`;
const GIVEN = `import { handlers } from './generated/handlers.js';\nconst description = 'swagger.yaml';\n`;

/** Does in a project what README and the pages tell: its own description with an operation more, handlers, samples. */
function followTheDocs(path: string): void {
  const square = sample('README.md', 'yaml', '/square/{number}:');
  const picture = sample('docs/bodies.md', 'yaml', 'picture:').replaceAll(/^/gm, '      ');
  const greetings = readFileSync(join(ROOT, 'test/fixtures/greetings/swagger.yaml'), 'utf8');
  for (const name of ['src/handlers', 'test/handlers']) {
    rmSync(join(path, name), { recursive: true });
    mkdirSync(join(path, name));
  }
  const api = sample('docs/testing.md', 'ts', 'beforeAll').split("\ntest('")[0] ?? '';
  write(path, {
    'swagger/swagger.yaml': greetings
      .replace('\npaths:\n', `\npaths:\n${square}\n${PICTURES}${picture}\n`)
      .replace('  securitySchemes:\n', `  securitySchemes:\n${SCHEME}`),
    'src/handlers/square.ts': sample('README.md', 'ts', 'const square'),
    'src/handlers/add-picture.ts': ADD_PICTURE + sample('docs/bodies.md', 'ts', 'const addPicture'),
    'test/handlers/square.test.ts': `${api}\n${sample('README.md', 'ts', "test('squares'")}`,
    'src/pg.d.ts': PG,
    'src/lifecycle-sample.ts': GIVEN + sample('docs/lifecycle.md', 'ts', 'Provided'),
    'src/security-sample.ts': GIVEN + sample('docs/security.md', 'ts', 'Provided'),
  });
}

/** The files of a folder that its Dockerfile copies before it installs, and its .dockerignore lets through. */
function imageOf(path: string, name: string): string {
  const image = join(folder, name);
  mkdirSync(image);
  const [, pattern = ''] =
    /^COPY (\S+) \.\/\nRUN npm ci/m.exec(readFileSync(join(path, 'deploy/Dockerfile'), 'utf8')) ?? [];
  const allowed = readFileSync(join(path, '.dockerignore'), 'utf8').split('\n');
  for (const file of readdirSync(path)) {
    const isCopied = pattern.endsWith('*') ? file.startsWith(pattern.slice(0, -1)) : file === pattern;
    if (isCopied && allowed.includes(`!${file}`)) cpSync(join(path, file), join(image, file));
  }
  return image;
}

test('a project that init makes follows the docs, and runs on a host, in a container and on a platform', async () => {
  const at = await installed('home');
  await run(join(at, 'node_modules/.bin/koa-cluster-metrics'), ['init', 'my-api'], { cwd: at });
  const path = join(at, 'my-api');
  await npm(path, 'install', '--prefer-offline');
  followTheDocs(path);
  const description = readFileSync(join(path, 'swagger/swagger.yaml'), 'utf8');
  const secured = description.replace(/( +)operationId: echo\n/, '$&$1security: [{ apiKey: [] }]\n');
  write(path, { 'swagger/swagger.yaml': secured });
  expect((await npm(path, 'run', 'scaffold')).stdout).toMatch(
    /3 handlers were written.*\(node_modules\/koa-cluster-metrics\/docs\/security\.md\)/s,
  );
  write(path, { 'swagger/swagger.yaml': description });
  await npm(path, 'run', 'test:unit');
  await npm(path, 'run', 'typecheck');
  const check = run('npm', ['run', '-s', 'observability', '--', '--check'], { cwd: path });
  await expect(check).rejects.toThrow('rules.yml');
  await npm(path, 'run', 'observability');
  expect(readFileSync(join(path, 'deploy/prometheus/rules.yml'), 'utf8')).toContain('/square/');
  await npm(path, 'run', 'build');

  // A host that runs the service has no development tools.
  const image = imageOf(path, 'image');
  // npm's cache would stand in for the package's file.
  expect(readdirSync(image).toSorted()).toEqual(['package-lock.json', 'package.json', 'package.tgz']);
  await npm(image, 'ci', '--omit=dev', '--ignore-scripts', '--prefer-offline');
  cpSync(join(path, 'dist'), join(image, 'dist'), { recursive: true });
  const service = await Service.start({ program: join(image, 'dist/main.js'), cwd: image });
  expect((await service.get('/square/12')).body.toString()).toBe('{"square":144}');
  expect((await service.get('/openapi.json')).status).toBe(200);
  expect((await service.get('/docs')).status).toBe(200);
  const labels = { endpoint: '/square/{number}', http_status: '200' };
  expect(total(await service.scrape(), 'flask_app_request_count', labels)).toBe(1);
  await service.allReady(2);
  const env = { PATH: process.env['PATH'], LEDGER_DIR: service.ledgerDir, PORT: String(service.port) };
  const script = async (name: string) => (await run('npm', ['run', '-s', name], { cwd: path, env })).stdout;
  expect(await script('status')).toContain('2 of 2 ready');
  expect(await script('reload')).toBe('Reloaded: all workers are new.\n');
  expect(await script('clean:ledgers')).toBe(`Nothing is left over in ${service.ledgerDir}\n`);

  const event = readFileSync(join(ROOT, 'test/fixtures/events/apigateway-v2.json'), 'utf8');
  const program = `require('./dist/serverless.js')
    .handler({ ...${event}, rawPath: '/square/12' }, {}).then(({ body }) => console.log(body));`;
  const lambda = { PATH: process.env['PATH'], AWS_LAMBDA_FUNCTION_NAME: 'f', LOG_LEVEL: 'silent' };
  const answer = await run(process.execPath, ['-e', program], { cwd: image, env: lambda });
  expect(answer.stdout).toBe('{"square":144}\n');
});
