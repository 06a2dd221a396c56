import { spawnSync } from 'node:child_process';
import { createLog } from '../src/log.js';

function linesOf(write: (log: ReturnType<typeof createLog>) => void, level: 'info' | 'silent' = 'info') {
  const lines: string[] = [];
  write(createLog(level, { write: (line) => void lines.push(line) }));
  return lines.map((line): unknown => JSON.parse(line));
}

test('a line is one JSON object with a readable time and level, and an error with its stack and cause', () => {
  const err = new Error('outer', { cause: new Error('inner') });
  expect(linesOf((log) => log.error({ err }, 'failed'))).toEqual([
    expect.objectContaining({
      level: 'error',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      msg: 'failed',
      err: expect.objectContaining({ stack: expect.stringContaining('inner') }),
    }),
  ]);
});

test('the level is kept', () => {
  expect(linesOf((log) => log.debug('no'))).toEqual([]);
  expect(linesOf((log) => log.fatal('no'), 'silent')).toEqual([]);
});

test('no line is lost when the process exits at once', () => {
  const program = `
    const log = require('./dist/log.js').createLog('info');
    for (let i = 0; i < 1000; i++) log.info({ i }, 'x'.repeat(200));
    process.exit(3);`;
  const { stdout, status } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  expect(status).toBe(3);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1000);
});
