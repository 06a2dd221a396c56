import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildProject } from '../support/project';

const ROOT = resolve(__dirname, '../..');
const EVENTS = join(ROOT, 'test/fixtures/events');
const RUNS = 20;

jest.setTimeout(120_000);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'serverless-test-'));
  buildProject(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Start {
  readonly body: string;
  /** Milliseconds: to load the module, and from there to the first answer. */
  readonly load: number;
  readonly first: number;
  /** Milliseconds of processor time for both. */
  readonly cpu: number;
  readonly loaded: string[];
}

/** A cold start: a new process that loads the built handler as Lambda does, and handles one event. */
function coldStart(event: string): Start {
  const program = `
    const before = process.cpuUsage(), started = performance.now();
    const { handler } = require(${JSON.stringify(join(folder, 'dist/serverless.js'))});
    const loaded = performance.now();
    handler(${event}, {}).then(({ body }) => {
      const first = performance.now() - loaded, { user, system } = process.cpuUsage(before);
      const packages = Object.keys(require.cache).map((path) => path.replace(/^.*node_modules./, '').split(/[\\\\/]/)[0]);
      const names = [...packages, ...process.moduleLoadList.map((name) => name.split('/').at(-1))];
      console.log(JSON.stringify({ body, load: loaded - started, first, cpu: (user + system) / 1000, loaded: [...new Set(names)] }));
    });`;
  const env = {
    PATH: process.env['PATH'],
    AWS_LAMBDA_FUNCTION_NAME: 'f',
    LOG_LEVEL: 'silent',
    NODE_ENV: 'production',
  };
  const start: Start = JSON.parse(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }));
  return start;
}

test.each(readdirSync(EVENTS))('a new process answers %s from the built package', (file) => {
  const { body } = coldStart(readFileSync(join(EVENTS, file), 'utf8'));
  expect(body).toBe('{"message":"Hello, Wörld!"}');
});

test('a cold start loads nothing that maps memory, prints for people, compiles descriptions or fetches', () => {
  const event = readFileSync(join(EVENTS, 'function-url.json'), 'utf8');
  const starts = Array.from({ length: RUNS }, () => coldStart(event));
  for (const key of ['load', 'first', 'cpu'] as const) {
    const sorted = starts.map((start) => start[key]).toSorted((a, b) => a - b);
    const [least = NaN, median = NaN] = [sorted[0], sorted[RUNS / 2]];
    process.stdout.write(
      `cold start, ${key}: at least ${least.toFixed(0)} ms, median ${median.toFixed(0)} ms\n`,
    );
  }
  // The last one is loaded by ajv's compiler alone.
  const loaded = new Set(starts.flatMap((start) => start.loaded));
  for (const name of ['koffi', 'pino-pretty', 'yaml', 'json-schema-traverse', 'undici'])
    expect(loaded).not.toContain(name);
});
