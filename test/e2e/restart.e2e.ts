import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { memoryBase } from '../support/memory-base';
import { Prometheus } from '../support/prometheus';
import { disposeAll, freePort, Service } from '../support/service';

jest.setTimeout(300_000);

const COUNT = 'flask_app_request_count{endpoint="/hello/{name}",http_status="200"}';

let prometheus: Prometheus | undefined;
const ledgerDir = mkdtempSync(join(memoryBase, 'restart-e2e-'));

afterAll(async () => {
  await prometheus?.dispose();
  await disposeAll();
  rmSync(ledgerDir, { recursive: true, force: true });
});

test('Prometheus sees no reset over five restarts, and an increase of what a client has counted', async () => {
  const env = { PORT: String(await freePort()), LEDGER_DIR: ledgerDir, SHUTDOWN_DELAY_MS: '0' };
  let service = await Service.start({ env });
  prometheus = await Prometheus.start('deploy/prometheus/prometheus.yml', `127.0.0.1:${env.PORT}`, '1s');
  const metrics = prometheus;
  let answered = 0;
  const ask = async (times: number) => {
    for (let i = 0; i < times; i += 1) if ((await service.get('/hello/you')).status === 200) answered += 1;
  };
  const scraped = () =>
    eventually('all is scraped', 30_000, async () => {
      const [series] = await metrics.query(`sum(${COUNT})`);
      return series?.values[0]?.[1] === answered;
    });
  await ask(10);
  await scraped();
  for (let restart = 0; restart < 5; restart += 1) {
    // Requests after the last scrape are the ones that a restart used to lose.
    await ask(20);
    if (restart % 2 === 0) service.kill();
    else service.signal(restart === 1 ? 'SIGKILL' : 'SIGTERM');
    await eventually('its end', 20_000, () => service.processes().length === 0);
    service = await Service.start({ env });
    await ask(20);
    await scraped();
  }
  expect(await metrics.value(`resets(${COUNT}[10m])`)).toBe(0);
  const increase = await metrics.value(`max_over_time(${COUNT}[10m]) - min_over_time(${COUNT}[10m])`);
  expect((await metrics.value(`min_over_time(${COUNT}[10m])`)) + increase).toBe(answered);
});
