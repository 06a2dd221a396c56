import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { total } from '../support/exposition';
import { disposeAll, Service, type ServiceOptions } from '../support/service';

jest.setTimeout(60_000);

const APP = resolve(__dirname, '../fixtures/default-metrics.js');
const FOREIGN = resolve(__dirname, '../fixtures/foreign-cluster.js');

let LEDGER_DIR: string;
beforeEach(() => (LEDGER_DIR = mkdtempSync(join(tmpdir(), 'own-metrics-'))));
afterEach(async () => {
  await disposeAll();
  rmSync(LEDGER_DIR, { recursive: true, force: true });
});

const ours: ServiceOptions = { program: APP };
const foreign: ServiceOptions = { program: FOREIGN, args: [APP] };
const modes: readonly [string, string, ServiceOptions, string][] = [
  ['collect the default metrics', 'our cluster', ours, ''],
  ['clear the default registry before', 'our cluster', ours, '1'],
  ['collect the default metrics', 'a cluster that is not ours, such as PM2’s', foreign, ''],
  ['clear the default registry before', 'a cluster that is not ours, such as PM2’s', foreign, '1'],
];

test.each(modes)(
  'an app may %s in %s: each of the service’s metrics is there once',
  async (_, _mode, options, CLEAR) => {
    const service = await Service.start({ ...options, env: { LEDGER_DIR, CLEAR } });
    await service.get('/');
    const families = await service.scrape();
    expect(families.get('process_cpu_seconds_total')?.samples).toEqual([
      expect.objectContaining({ labels: { zone: 'a' } }),
    ]);
    for (const name of ['requests_in_progress', 'requests_shed_total', 'ledger_errors_total'])
      expect([name, total(families, `flask_app_${name}`)]).toEqual([name, 0]);
  },
);
