import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RequestsInFlight, takeRequestsInFlight } from '../../../src/metrics/ledger/requests-in-flight';
import { memoryFolder, modes } from './memory-folder';

let folder: string;
beforeEach(() => (folder = memoryFolder()));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs tests if files can be mapped; otherwise nothing is noted. */
const describeMapped = modes.includes('mapped') ? describe : describe.skip;

describeMapped('the requests that a worker has in flight', () => {
  test('what has not been answered is read, oldest first, and the file is gone then', () => {
    const requests = RequestsInFlight.open(folder, 3);
    const now = performance.now();
    const answered = requests?.enter(now - 900, 'malformed', 'GET') ?? -1;
    const younger = requests?.enter(now - 50, 'malformed', 'POST') ?? -1;
    const older = requests?.enter(now - 500, 'malformed', 'OPTIONS') ?? -1;
    requests?.route(younger, '/überall/{x}');
    requests?.identify(younger, 'an-id');
    requests?.leave(answered);
    const found = takeRequestsInFlight(folder, 3);
    expect(found).toEqual([
      { method: 'OPTIONS', endpoint: 'malformed', requestId: '', ms: expect.any(Number) },
      { method: 'POST', endpoint: '/überall/{x}', requestId: 'an-id', ms: expect.any(Number) },
    ]);
    expect(found[0]?.ms).toBeGreaterThanOrEqual(500);
    expect(older).not.toBe(answered);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a slot that is free again keeps nothing of the request before', () => {
    const requests = RequestsInFlight.open(folder, 1);
    const first = requests?.enter(0, '/a', 'DELETE') ?? -1;
    requests?.identify(first, 'x'.repeat(200));
    requests?.leave(first);
    expect(requests?.enter(0, '/b', 'GET')).toBe(first);
    expect(takeRequestsInFlight(folder, 1)).toEqual([
      { method: 'GET', endpoint: '/b', requestId: '', ms: expect.any(Number) },
    ]);
  });

  test('of more than 128 requests at a time the first 128 are noted', () => {
    const requests = RequestsInFlight.open(folder, 1);
    const slots = Array.from(
      { length: 200 },
      () => requests?.enter(0, '/a', 'A-LONG-METHOD-'.repeat(9)) ?? -1,
    );
    for (const slot of slots) requests?.identify(slot, 'y'.repeat(500));
    expect(takeRequestsInFlight(folder, 1)).toHaveLength(128);
    for (const slot of slots) requests?.leave(slot);
    expect(new Set(slots.map(() => requests?.enter(0, '/a', 'GET'))).size).toBe(129);
  });
});

test('where there is no folder, or no file of ours in it, nothing is noted and nothing thrown', () => {
  expect(RequestsInFlight.open(join(folder, 'absent'), 1)).toBeUndefined();
  expect(takeRequestsInFlight(join(folder, 'absent'), 1)).toEqual([]);
  writeFileSync(join(folder, '2.requests'), 'not a file of ours');
  expect(takeRequestsInFlight(folder, 2)).toEqual([]);
});
