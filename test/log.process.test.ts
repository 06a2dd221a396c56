import { spawnSync } from 'node:child_process';

test('no line is lost when the process exits at once', () => {
  const program = `
    const log = require('./dist/log.js').createLog('info');
    for (let i = 0; i < 1000; i++) log.info({ i }, 'x'.repeat(200));
    process.exit(3);`;
  const { stdout, status } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  expect(status).toBe(3);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1000);
});
