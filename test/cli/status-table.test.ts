import { readFileSync } from 'node:fs';
import { duration, statusTable } from '../../src/cli/status-table';
import type { ServiceStatus } from '../../src/cluster/control/service-status';
import type { WorkerStatus } from '../../src/metrics/worker-status';

const worker: WorkerStatus = {
  worker: 1,
  pid: 4_194_304,
  state: 'ready',
  ageSeconds: 93_784,
  silentSeconds: 0.2,
  restarts: 3,
  requestsPerSecond: 12_345.6,
  p99Seconds: 0.0123,
  cpu: 0.45,
  rssBytes: 128 * 2 ** 20,
  eventLoopDelaySeconds: 1.5,
};

const service: ServiceStatus = {
  pid: 4_194_303,
  url: 'http://127.0.0.1:8080',
  listen: '8080',
  uptimeSeconds: 200_000,
  wanted: 2,
  exits: { drained: 2, recycled: 0, crashed: 1, killed: 0, hung: 0, boot_failed: 0 },
  workers: [worker, { ...worker, worker: 2, state: 'starting' }],
};

test('a service and its workers', () => {
  expect(statusTable(service, false).split('\n')).toEqual([
    'http://127.0.0.1:8080',
    'pid 4194303, up 2d7h, 1 of 2 ready',
    'ended: 2 drained, 1 crashed',
    '',
    'WORKER     PID     STATE    AGE   REQ/S     P99   CPU     RSS   DELAY RESTARTS',
    '     1 4194304     ready   1d2h   12346  12.3ms   45%   128MB    1.5s        3',
    '     2 4194304  starting   1d2h   12346  12.3ms   45%   128MB    1.5s        3',
  ]);
});

test('a worker that has not said anything yet', () => {
  const {
    requestsPerSecond: _r,
    p99Seconds: _p,
    cpu: _c,
    rssBytes: _m,
    eventLoopDelaySeconds: _d,
    ...unknown
  } = worker;
  expect(
    statusTable({ ...service, workers: [unknown] }, false)
      .split('\n')
      .at(-1),
  ).toBe('     1 4194304     ready   1d2h       -       -     -       -       -        3');
});

test('a worker that hangs is shown as silent, one that boots is not', () => {
  const text = statusTable(
    {
      ...service,
      workers: [
        { ...worker, silentSeconds: 12 },
        { ...worker, state: 'starting', silentSeconds: 12 },
      ],
    },
    false,
  );
  expect(text.match(/silent|starting/g)).toEqual(['silent', 'starting']);
});

test('nothing is wider than 80 columns, whatever is in it', () => {
  const large: WorkerStatus = {
    ...worker,
    worker: 99_999,
    state: 'draining',
    ageSeconds: 8.6e7,
    requestsPerSecond: 999_999,
    p99Seconds: 3_600,
    cpu: 9.99,
    rssBytes: 64 * 2 ** 30,
    restarts: 99_999,
  };
  for (const line of statusTable({ ...service, workers: [large] }, false).split('\n'))
    expect(line.length).toBeLessThanOrEqual(80);
});

test('colours change nothing else', () => {
  const coloured = statusTable(service, true);
  expect(coloured).toContain('\x1b[32m');
  // oxlint-disable-next-line no-control-regex -- that is what a colour is made of
  expect(coloured.replaceAll(/\x1b\[\d+m/g, '')).toBe(statusTable(service, false));
});

test.each([
  [0, '0s'],
  [59.9, '59s'],
  [61, '1m1s'],
  [3_600, '1h0m'],
  [90_000, '1d1h'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('the sample in the documentation is what is printed', () => {
  const first = { ...worker, worker: 5, pid: 4120, ageSeconds: 7_440, restarts: 2, requestsPerSecond: 812 };
  const second = { ...first, worker: 7, pid: 4145, ageSeconds: 1_872, restarts: 3, requestsPerSecond: 799.2 };
  const sample: ServiceStatus = {
    ...service,
    pid: 3745,
    uptimeSeconds: 11_520,
    exits: { drained: 4, recycled: 0, crashed: 0, killed: 1, hung: 0, boot_failed: 0 },
    workers: [
      { ...first, eventLoopDelaySeconds: 0.0012 },
      { ...second, p99Seconds: 0.0121, cpu: 0.44, rssBytes: 121 * 2 ** 20, eventLoopDelaySeconds: 0.001 },
    ],
  };
  expect(readFileSync('docs/operating.md', 'utf8')).toContain(statusTable(sample, false));
});
