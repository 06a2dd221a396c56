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
