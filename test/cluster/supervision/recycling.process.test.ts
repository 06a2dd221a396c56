import { join } from 'node:path';
import { eventually } from '../../support/eventually';
import { total } from '../../support/exposition';
import { failed, Load } from '../../support/load-client';
import { disposeAll, Service } from '../../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(120_000);
afterEach(() => disposeAll());

test.each([
  ['WORKER_MAX_REQUESTS', '100'],
  ['WORKER_MAX_RSS', '1mb'],
  ['WORKER_MAX_AGE', '2s'],
])(
  'a worker that reaches %s is replaced under load: no request fails, none is miscounted',
  async (name, limit) => {
    const service = await Service.start({ program: FIXTURE, env: { [name]: limit } });
    const load = new Load({ port: service.port, rate: 200, connections: 10, path: '/many' });
    const metrics = await eventually('a recycled worker', 60_000, async () => {
      const families = await service.scrape();
      return total(families, 'flask_app_worker_exits_total', { reason: 'recycled' }) === 1 && families;
    });
    expect(total(metrics, 'flask_app_worker_exits_total')).toBe(1);
    const report = await load.stop();
    expect({ failed: failed(report), failures: report.failures }).toEqual({ failed: 0, failures: [] });
    const counted = total(await service.scrape(), 'flask_app_request_count', { endpoint: '/many' });
    expect(counted).toBe(report.outcomes.answered);
    // Both workers had reached the limit within a minute of their start: the second one has to wait.
    expect(service.stdout.split(`${name} is reached within a minute`)).toHaveLength(2);
  },
);
