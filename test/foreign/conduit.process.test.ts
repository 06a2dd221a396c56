import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type Koa from 'koa';
import { conduitSuite } from '../fixtures/conduit/suite';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Service, disposeAll } from '../support/service';

jest.setTimeout(120_000);

const APP = resolve(__dirname, '../fixtures/conduit/app.js');
const CLI = resolve(__dirname, '../../dist/cli/main.js');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'conduit-test-'));
  process.env['CONDUIT_FOLDER'] = join(folder, 'alone');
});
afterAll(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

function start(env: Record<string, string> = {}): Promise<Service> {
  return Service.start({
    program: CLI,
    args: ['start', APP],
    env: { CONDUIT_FOLDER: join(folder, 'served'), LOG_LEVEL: 'fatal', ...env },
  });
}

describe('alone', () => {
  let app: Koa;
  beforeAll(() => {
    app = require(APP) as Koa; // as it is exported
    app.silent = true;
  });
  conduitSuite(() => app.callback());
});

describe('served on two workers', () => {
  let service: Service;
  beforeAll(async () => {
    service = await start();
    await service.allReady(2);
  });

  test('the routes of the app are there at 0 before anybody has asked for them', async () => {
    const series = (await service.scrape()).get('flask_app_request_count')?.samples ?? [];
    const zeros = series.filter(({ value }) => value === 0).map(({ labels }) => labels);
    expect(zeros).toContainEqual({
      method: 'POST',
      endpoint: '/api/articles/:slug/comments',
      http_status: '500',
    });
    expect(zeros).toContainEqual({ method: 'GET', endpoint: '/api/tags', http_status: '200' });
  });

  conduitSuite(() => `http://127.0.0.1:${service.port}`);

  test('each request is counted under the route that served it', async () => {
    const families = await service.scrape();
    const counted = (method: string, endpoint: string, status: number): number =>
      total(families, 'flask_app_request_count', { method, endpoint, http_status: String(status) });
    expect({
      created: counted('POST', '/api/users', 201),
      refused: counted('POST', '/api/users', 422),
      nobody: counted('GET', '/api/user', 401),
      comment: counted('POST', '/api/articles/:slug/comments', 201),
      missing: counted('GET', '/api/articles/:slug', 404),
      deleted: counted('DELETE', '/api/articles/:slug', 204),
      method: counted('PUT', '/api/tags', 405),
      unmatched: counted('GET', 'unmatched', 404),
      broken: counted('GET', '/api/broken', 500),
    }).toEqual({
      created: 1,
      refused: 2,
      nobody: 1,
      comment: 1,
      missing: 2,
      deleted: 1,
      method: 1,
      unmatched: 1,
      broken: 1,
    });
  });
});

test('while workers are killed and reloaded no answered request is missing, and no reload fails one', async () => {
  const service = await start({ SHUTDOWN_DELAY_MS: '0' });
  await service.allReady(2);
  let answered = 0;
  let failed = 0;
  const stop = new AbortController();
  const client = async (): Promise<void> => {
    while (!stop.signal.aborted && service.exit === undefined) {
      const status = await service.get('/api/tags').then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) answered += 1;
      else failed += 1;
    }
  };
  const clients = [client(), client(), client()];
  const counted = async (): Promise<number> =>
    total(await service.scrape(), 'flask_app_request_count', { endpoint: '/api/tags', http_status: '200' });

  const first = service.workers();
  service.signal('SIGHUP');
  await eventually('a rolling reload', 40_000, () => !service.workers().some((pid) => first.includes(pid)));
  await service.allReady(2);
  expect(failed).toBe(0);

  for (let kills = 0; kills < 5; kills += 1) {
    const [victim = 0] = service.workers();
    process.kill(victim, 'SIGKILL');
    const before = answered;
    expect(await counted()).toBeGreaterThanOrEqual(before);
    await eventually('a replacement', 40_000, () => {
      const workers = service.workers();
      return workers.length === 2 && !workers.includes(victim);
    });
    await service.allReady(2);
  }
  stop.abort();
  await Promise.all(clients);
  const seen = await counted();
  expect(answered).toBeGreaterThan(100);
  // A request that was killed after its count and before its answer arrived is counted, but not answered.
  expect(seen).toBeGreaterThanOrEqual(answered);
  expect(seen).toBeLessThanOrEqual(answered + failed);
  await service.stop();
});
