import { join } from 'node:path';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { checkButSchemas } from '../../src/openapi/compile-description';
import { ObjectivesError, readObjectives, watchedOperations } from '../../src/openapi/operations/objectives';
import type { Operation } from '../../src/openapi/operations/operation';

const BUCKETS = [0.05, 0.25, 1];
const DEFAULT = { availability: 0.999, latency: { threshold: 0.25, ratio: 0.99 }, window: '30d' };
const GOALS = { availability: 0.999, latency: { threshold: 0.25, ratio: 0.99 }, windowDays: 30 };

interface Api {
  readonly 'x-slo'?: unknown;
  readonly paths: Readonly<Record<string, object>>;
}

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'objectives-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** The operations of the first of these files, of which the others are parts. */
function operationsIn(files: Readonly<Record<string, object>>): readonly Operation[] {
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), JSON.stringify(content));
  const { description, operations } = checkButSchemas(join(folder, Object.keys(files)[0] ?? ''));
  description.refuseFaults();
  return operations;
}

const HEAD = { openapi: '3.1.0', info: { title: 'T', version: '1' } };
const responses = { 200: { description: 'Fine.' } };

/** The operations of an API, each of which gets an answer. */
function operationsOf({ paths, ...root }: Api): readonly Operation[] {
  const answered = Object.entries(paths).map(([path, item]) => [
    path,
    Object.fromEntries(Object.entries(item).map(([method, each]) => [method, { responses, ...each }])),
  ]);
  return operationsIn({ 'api.json': { ...HEAD, ...root, paths: Object.fromEntries(answered) } });
}

const objectivesOf = (api: Api) => readObjectives(operationsOf(api), BUCKETS);

function problemsOf(api: Api): readonly string[] {
  try {
    objectivesOf(api);
    return [];
  } catch (error) {
    if (error instanceof ObjectivesError) return error.problems;
    throw error;
  }
}

test('operations share the default objective; one with its own x-slo has its own; false has none', () => {
  const api = {
    'x-slo': DEFAULT,
    paths: {
      '/': { get: {}, post: {} },
      '/slow': { get: { operationId: 'slow', 'x-slo': { latency: { threshold: 1 } } } },
      '/readyz': { get: { 'x-slo': false } },
    },
  };
  expect(objectivesOf(api)).toEqual([
    {
      name: 'default',
      ...GOALS,
      operations: [
        { method: 'GET', endpoint: '/' },
        { method: 'POST', endpoint: '/' },
      ],
    },
    {
      name: 'slow',
      ...GOALS,
      latency: { threshold: 1, ratio: 0.99 },
      operations: [{ method: 'GET', endpoint: '/slow' }],
    },
  ]);
});

test('without a default only operations that state all of it have an objective', () => {
  const paths = {
    '/': { get: {} },
    '/a': { get: { operationId: 'a', 'x-slo': { ...DEFAULT, window: '4w' } } },
  };
  expect(objectivesOf({ paths })).toEqual([
    { name: 'a', ...GOALS, windowDays: 28, operations: [{ method: 'GET', endpoint: '/a' }] },
  ]);
});

test('an operation without operationId has its objective under the id that the service gives it', () => {
  const objectives = objectivesOf({ paths: { '/boxes/{id}/lid': { get: { 'x-slo': DEFAULT, ...BOX } } } });
  expect(objectives.map(({ name }) => name)).toEqual(['getBoxesByIdLid']);
});

test('operations in other files have objectives, as those in the first file have', () => {
  const operations = operationsIn({
    'api.json': {
      ...HEAD,
      'x-slo': DEFAULT,
      paths: { '/boxes': { $ref: 'boxes.json' }, '/lids': { get: { $ref: 'lids.json' } } },
    },
    'boxes.json': {
      get: { responses },
      post: { operationId: 'pack', 'x-slo': { availability: 0.9 }, responses },
    },
    'lids.json': { 'x-slo': { latency: { threshold: 1 } }, responses },
  });
  const found = readObjectives(operations, BUCKETS).map(({ name, availability, latency, operations: of }) => [
    name,
    availability,
    latency.threshold,
    of.map(({ method, endpoint }) => `${method} ${endpoint}`),
  ]);
  expect(found).toEqual([
    ['default', 0.999, 0.25, ['GET /boxes']],
    ['pack', 0.9, 0.25, ['POST /boxes']],
    ['getLids', 0.999, 1, ['GET /lids']],
  ]);
});

test('a description without x-slo has no objectives, and all its operations are watched but those that say false', () => {
  const operations = operationsOf({
    paths: { '/': { get: {}, put: {} }, '/readyz': { get: { 'x-slo': false } } },
  });
  expect(readObjectives(operations, BUCKETS)).toEqual([]);
  expect(watchedOperations(operations)).toEqual([
    { method: 'GET', endpoint: '/' },
    { method: 'PUT', endpoint: '/' },
  ]);
});

const BOX = { parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }] };
const SHARE = 'a number above 0 and below 1, such as 0.999';
const DAYS = 'whole days or weeks from 7d to 90d, such as 30d';

test.each([
  [{ ...DEFAULT, availability: 99.9 }, `x-slo.availability: expected ${SHARE}, got 99.9`],
  [{ ...DEFAULT, availability: 1 }, `x-slo.availability: expected ${SHARE}, got 1`],
  [{ ...DEFAULT, availability: '0.999' }, `x-slo.availability: expected ${SHARE}, got "0.999"`],
  [{ ...DEFAULT, window: '1d' }, `x-slo.window: expected ${DAYS}, got "1d"`],
  [{ ...DEFAULT, window: 30 }, `x-slo.window: expected ${DAYS}, got 30`],
  [
    { ...DEFAULT, latency: { threshold: 0.3, ratio: 0.99 } },
    'x-slo.latency.threshold: expected a bound of the latency histogram in seconds (0.05, 0.25, 1), got 0.3',
  ],
  [{ ...DEFAULT, latency: { threshold: 1 } }, `x-slo.latency.ratio: expected ${SHARE}, got nothing`],
  [{ ...DEFAULT, latency: 0.25 }, 'x-slo.latency: expected an object with threshold, ratio, got 0.25'],
  [
    { ...DEFAULT, avialability: 0.9 },
    'x-slo.avialability: expected one of availability, latency, window, got "avialability"',
  ],
  ['99.9%', 'x-slo: expected an object with availability, latency, window, got "99.9%"'],
  [null, 'x-slo: expected an object with availability, latency, window, got null'],
])('refuses the default %j', (slo, problem) => {
  expect(problemsOf({ 'x-slo': slo, paths: { '/': { get: {} } } })).toContain(problem);
});

test('every fault is named at once, with the operation that has it, and none twice', () => {
  const paths = {
    '/a': { get: { operationId: 'default', 'x-slo': { availability: 2 } } },
    '/b': { post: { 'x-slo': { latency: { ratio: 0 } } } },
    '/c': { get: { 'x-slo': true } },
  };
  expect(problemsOf({ 'x-slo': DEFAULT, paths })).toEqual([
    `paths./a.get.x-slo.availability: expected ${SHARE}, got 2`,
    'paths./a.get.operationId: expected a name that no other objective has, got "default"',
    `paths./b.post.x-slo.latency.ratio: expected ${SHARE}, got 0`,
    'paths./c.get.x-slo: expected an object with availability, latency, window, got true',
  ]);
});
