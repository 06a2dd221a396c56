import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { monotonicTime } from '../../../src/metrics/exposition/monotonic-time';

const MODULE = join(__dirname, '../../../dist/metrics/exposition/monotonic-time.js');

test('is the same clock in every process, in milliseconds', () => {
  const before = monotonicTime();
  const program = `console.log(require(${JSON.stringify(MODULE)}).monotonicTime())`;
  const between = Number(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }));
  const after = monotonicTime();
  expect(between).toBeGreaterThan(before);
  expect(between).toBeLessThan(after);
  const [start, seen] = [performance.now(), monotonicTime()];
  while (performance.now() < start + 5);
  expect(monotonicTime() - seen).toBeGreaterThanOrEqual(4.9);
});
