import { Registry } from 'prom-client';
import { registerWorkers } from '../../src/metrics/supervision-metrics';

async function starting(wanted: number, counts: { starting: number; ready: number; draining: number }) {
  const registry = new Registry();
  registerWorkers(
    registry,
    'x_',
    () => wanted,
    () => counts,
  );
  const [, value] = /^x_workers\{state="starting"\} (\d+)$/m.exec(await registry.metrics()) ?? [];
  return Number(value);
}

test('a worker that waits to be forked again counts as starting', async () => {
  expect(await starting(4, { starting: 1, ready: 2, draining: 0 })).toBe(2);
});

test('one worker more than wanted, as in a reload, is none less', async () => {
  expect(await starting(2, { starting: 1, ready: 2, draining: 0 })).toBe(1);
  expect(await starting(2, { starting: 0, ready: 2, draining: 1 })).toBe(0);
});
