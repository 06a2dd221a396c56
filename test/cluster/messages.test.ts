import { deserialize, serialize } from 'node:v8';
import * as fc from 'fast-check';
import { parsePrimaryMessage, parseWorkerMessage } from '../../src/cluster/messages';

const fromWorkers = [
  { type: 'waiting' },
  { type: 'key-pair-wanted' },
  { type: 'ready', address: '::', port: 8080 },
  { type: 'boot-failed', message: 'why' },
  { type: 'heartbeat' },
  { type: 'heartbeat', vitals: { requestsPerSecond: 1, cpu: 0.5, rssBytes: 1e9, eventLoopDelaySeconds: 0 } },
  {
    type: 'heartbeat',
    vitals: { requestsPerSecond: 1, p99Seconds: 0.1, cpu: 0.5, rssBytes: 1e9, eventLoopDelaySeconds: 0 },
  },
  { type: 'busy', ms: 1_000 },
  { type: 'lines-lost', lines: 3 },
  { type: 'hand-over' },
  { type: 'failing', message: 'why' },
  { type: 'ledger-failed' },
  { type: 'worn', limit: 'WORKER_MAX_RSS' },
  { type: 'snapshot', id: 7, snapshot: '{}' },
  { type: 'foreseen', series: [] },
  { type: 'foreseen', series: [{ method: 'GET', endpoint: '/', statuses: [200, 500] }] },
  { type: 'scrape', id: 0, format: 'text' },
  { type: 'scrape', id: 1, format: 'protobuf' },
  { type: 'goodbye', snapshot: '{}' },
];

const fromPrimary = [
  { type: 'collect', id: 1 },
  { type: 'exposition', id: 1, asOf: 2.5, bytes: Buffer.from('up 1\n'), last: true },
  { type: 'exposition-failed', id: 1, message: 'why' },
  { type: 'unready' },
  { type: 'watched' },
  { type: 'begin' },
  { type: 'key-pair', cert: 'c', key: 'k' },
  { type: 'key-pair', cert: 'c', key: 'k', ca: 'a' },
  { type: 'log-level', level: 'debug' },
  { type: 'profile', id: 1, socket: '/x', seconds: 0.5 },
  { type: 'heap', id: 1, socket: '/x' },
  { type: 'drain', graceMs: 0, timeoutMs: 500.5, handOver: true },
  { type: 'adopt' },
  { type: 'goodbye-ack' },
];

/** Returns a value as it arrives at the other process. */
const sent = (message: unknown): unknown => deserialize(serialize(message));

test.each(fromWorkers)('a worker says $type', (message) => {
  expect(parseWorkerMessage(sent(message))).toEqual(message);
  expect(parsePrimaryMessage(sent(message))).toBeUndefined();
});

test.each(fromPrimary)('the primary says $type', (message) => {
  expect(parsePrimaryMessage(sent(message))).toEqual(message);
  expect(parseWorkerMessage(sent(message))).toBeUndefined();
});

test.each([
  null,
  undefined,
  0,
  'heartbeat',
  [],
  ['heartbeat'],
  {},
  { type: null },
  { type: 'toString' },
  { type: '__proto__' },
  { type: ['heartbeat'] },
  new Map([['type', 'heartbeat']]),
  { type: 'ready', address: '::' },
  { type: 'ready', address: {}, port: 1 },
  { type: 'ready', address: '::', port: -1 },
  { type: 'ready', address: '::', port: 1.5 },
  { type: 'boot-failed' },
  { type: 'failing', message: 'x'.repeat(1e6) },
  { type: 'worn', limit: 'toString' },
  { type: 'worn' },
  { type: 'foreseen' },
  { type: 'foreseen', series: [null] },
  { type: 'foreseen', series: [{ method: 'GET', endpoint: '/', statuses: ['200'] }] },
  { type: 'scrape', id: 1 },
  { type: 'scrape', id: 1, format: 'xml' },
  { type: 'scrape', id: '1', format: 'text' },
  { type: 'scrape', id: NaN, format: 'text' },
  { type: 'heartbeat', vitals: null },
  { type: 'heartbeat', vitals: { requestsPerSecond: 1, cpu: NaN, rssBytes: 1e9, eventLoopDelaySeconds: 0 } },
  { type: 'heartbeat', vitals: { requestsPerSecond: 1, cpu: 1, rssBytes: 1e9 } },
  { type: 'busy' },
  { type: 'snapshot', id: 1 },
  { type: 'snapshot', snapshot: '{}' },
  { type: 'snapshot', id: 1, snapshot: null },
  { type: 'goodbye', snapshot: [] },
  { type: 'x'.repeat(1e7) },
])('is no message of a worker: %#', (value) => {
  expect(parseWorkerMessage(sent(value))).toBeUndefined();
});

test.each([
  null,
  'drain',
  { type: 'key-pair', cert: 'c' },
  { type: 'key-pair', cert: 'c', key: 'k', ca: 1 },
  { type: 'log-level', level: 'loud' },
  { type: 'profile', id: 1, socket: '/x' },
  { type: 'heap', id: -1, socket: '/x' },
  { type: 'drain', graceMs: 1, handOver: true },
  { type: 'drain', graceMs: 1, timeoutMs: Infinity, handOver: true },
  { type: 'drain', graceMs: -1, timeoutMs: 1, handOver: true },
  { type: 'drain', graceMs: 1, timeoutMs: 1 },
  { type: 'exposition', id: 1, asOf: 2.5, bytes: 'up 1\n', last: true },
  { type: 'exposition', id: 1, asOf: 2.5, bytes: Buffer.alloc(0) },
  { type: 'exposition', id: 1, bytes: Buffer.alloc(0), last: true },
  { type: 'exposition', id: 1, asOf: NaN, bytes: Buffer.alloc(0), last: true },
  { type: 'collect' },
])('is no message of the primary: %#', (value) => {
  expect(parsePrimaryMessage(sent(value))).toBeUndefined();
});

test('nothing that can be sent makes the reader throw, or changes what all objects have', () => {
  const type = fc.constantFrom(...fromWorkers, ...fromPrimary).map((message) => message.type);
  const field = fc.constantFrom('id', 'snapshot', 'message', 'text', 'last', 'metrics', 'rows', '__proto__');
  const shaped = fc.tuple(
    type,
    fc.dictionary(field, fc.anything({ withNullPrototype: true }), { maxKeys: 5 }),
  );
  const message = fc.oneof(
    fc.anything({ withMap: true, withDate: true, withTypedArray: true, withBigInt: true }),
    shaped.map(([name, fields]) => ({ ...fields, type: name })),
  );
  fc.assert(
    fc.property(message, (value) => {
      const received = sent(value);
      parseWorkerMessage(received);
      parsePrimaryMessage(received);
      expect(Object.keys(Object.prototype)).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
