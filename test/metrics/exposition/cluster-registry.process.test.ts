import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(60_000);

it('a primary with a ClusterRegistry survives what prom-client’s own listener throws on', async () => {
  const fixture = join(__dirname, '../../fixtures/null-messages.js');
  const { stdout } = await promisify(execFile)(process.execPath, [fixture], { timeout: 20_000 });
  expect(JSON.parse(stdout)).toEqual({
    received: [null, 'text', { type: 'prom-client:getMetricsRes' }],
    gathered: true,
  });
});
