import { ObjectivesError, readObjectives } from '../../src/openapi/objectives';

const BUCKETS = [0.05, 0.25, 1];
const DEFAULT = { availability: 0.999, latency: { threshold: 0.25, ratio: 0.99 }, window: '30d' };
const GOALS = { availability: 0.999, latency: { threshold: 0.25, ratio: 0.99 }, windowDays: 30 };

function problemsOf(description: unknown): readonly string[] {
  try {
    readObjectives(description, BUCKETS);
    return [];
  } catch (error) {
    if (error instanceof ObjectivesError) return error.problems;
    throw error;
  }
}

test('operations share the default objective; one with its own x-slo has its own; false has none', () => {
  const description = {
    'x-slo': DEFAULT,
    paths: {
      '/': { get: {}, post: {} },
      '/slow': { get: { operationId: 'slow', 'x-slo': { latency: { threshold: 1 } } } },
      '/readyz': { get: { 'x-slo': false } },
    },
  };
  expect(readObjectives(description, BUCKETS)).toEqual([
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
  expect(readObjectives({ paths }, BUCKETS)).toEqual([
    { name: 'a', ...GOALS, windowDays: 28, operations: [{ method: 'GET', endpoint: '/a' }] },
  ]);
});

test('a description without x-slo has no objectives', () => {
  expect(readObjectives({ paths: { '/': { get: {} } } }, BUCKETS)).toEqual([]);
});

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
    '/a': { get: { operationId: 'a', 'x-slo': { availability: 2 } } },
    '/b': { post: { operationId: 'a', 'x-slo': { latency: { ratio: 0 } } }, get: { 'x-slo': {} } },
    '/c': { get: { operationId: 'a', 'x-slo': true } },
  };
  expect(problemsOf({ 'x-slo': DEFAULT, paths })).toEqual([
    `paths./a.get.x-slo.availability: expected ${SHARE}, got 2`,
    'paths./b.get.operationId: expected a name of letters, digits, _, . and - for the objective, got nothing',
    `paths./b.post.x-slo.latency.ratio: expected ${SHARE}, got 0`,
    'paths./b.post.operationId: expected a name that no other objective has, got "a"',
    'paths./c.get.x-slo: expected an object with availability, latency, window, got true',
    'paths./c.get.operationId: expected a name that no other objective has, got "a"',
  ]);
});
