import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { total } from '../support/exposition';
import { disposeAll, freePort, Service } from '../support/service';

jest.setTimeout(60_000);

let env: Record<string, string> = {};
let answered = 0;

beforeEach(async () => {
  const LEDGER_DIR = mkdtempSync(join(tmpdir(), 'limit-'));
  env = { LEDGER_DIR, PORT: String(await freePort()), METRICS_MAX_ENDPOINTS: '3', LOG_LEVEL: 'fatal' };
});

afterEach(async () => {
  await disposeAll();
  rmSync(env['LEDGER_DIR'] ?? '', { recursive: true });
});

async function start(more: Record<string, string> = {}): Promise<Service> {
  const service = await Service.start({
    program: 'test/fixtures/named-by-path.js',
    env: { ...env, ...more },
  });
  await service.allReady(2);
  return service;
}

/** Asks for paths that nobody has asked for; each on a connection of its own, so that both workers get some. */
async function askForNewPaths(service: Service): Promise<void> {
  for (let n = 0; n < 10; n += 1, answered += 1)
    expect((await service.get(`/path-${answered}`)).status).toBe(200);
}

async function namedPaths(service: Service): Promise<string[]> {
  const samples = (await service.scrape()).get('flask_app_request_count')?.samples ?? [];
  const labels = samples.map(({ labels: { endpoint = '' } }) => endpoint);
  return [...new Set(labels.filter((label) => label.startsWith('/path-')))].toSorted();
}

test('a service counts no more endpoints by name than the limit, whichever of its workers and primaries end', async () => {
  const first = await start();
  await askForNewPaths(first);
  const named = await namedPaths(first);
  expect(named).toHaveLength(3);

  for (const worker of first.workers()) process.kill(worker, 'SIGKILL');
  await first.allReady(2);
  await askForNewPaths(first);
  expect(await namedPaths(first)).toEqual(named);

  first.signal('SIGKILL');
  await first.dispose();
  const second = await start();
  await askForNewPaths(second);
  expect(await namedPaths(second)).toEqual(named);
  expect(total(await second.scrape(), 'flask_app_request_count', { endpoint: 'overflow' })).toBe(
    answered - 3,
  );

  second.signal('SIGKILL');
  await second.dispose();
  const anew = await start({ METRICS_KEEP: 'off' });
  await askForNewPaths(anew);
  const others = await namedPaths(anew);
  expect(others).toHaveLength(3);
  expect(others).not.toEqual(named);
});
