import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Service, disposeAll, freePort } from '../support/service';

jest.setTimeout(60_000);

const program = resolve(__dirname, '../../dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'start-test-'));
afterAll(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

test('counts go on where the same app runs again on a port, and not where another one does', async () => {
  const env = { PORT: String(await freePort()), LEDGER_DIR: folder, WEB_CONCURRENCY: '1' };
  const counts: number[] = [];
  for (const app of ['one.js', 'one.js', 'other.js']) {
    writeFileSync(join(folder, app), 'module.exports = (req, res) => res.end();');
    const service = await Service.start({ program, args: ['start', app], cwd: folder, env });
    await eventually('the service is ready', 30_000, () => service.stdout.includes('Ready on'));
    expect((await service.get('/')).status).toBe(200);
    counts.push(total(await service.scrape(), 'flask_app_request_count', { endpoint: 'unmatched' }));
    await service.stop();
  }
  expect(counts).toEqual([1, 2, 1]);
});
