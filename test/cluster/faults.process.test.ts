import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { type Family, fallen, total } from '../support/exposition';
import { failed, Load } from '../support/load-client';
import { disposeAll, Service } from '../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(180_000);
afterEach(disposeAll);

type Metrics = ReadonlyMap<string, Family>;

const counted = (metrics: Metrics): number =>
  total(metrics, 'flask_app_request_count', { endpoint: '/many' });
const exits = (metrics: Metrics, reason: string): number =>
  total(metrics, 'flask_app_worker_exits_total', { reason });
const ready = (metrics: Metrics): number => total(metrics, 'flask_app_workers', { state: 'ready' });

async function fullStrength(service: Service, workers: number): Promise<Metrics> {
  return eventually(`${workers} workers are ready`, 20_000, async () => {
    const metrics = await service.scrape();
    return ready(metrics) === workers && metrics;
  });
}

test('workers killed under load: nothing exposed falls, no answer is missing, only their connections fail', async () => {
  const service = await Service.start({ program: FIXTURE });
  let before = await fullStrength(service, 2);
  const load = new Load({ port: service.port, rate: 300, connections: 10, path: '/many' });
  const falls: string[] = [];
  for (let kills = 1; kills <= 4; kills++) {
    const target = load.answered + 100;
    await eventually('100 more answers', 10_000, () => load.answered > target);
    const [oldest = 0] = service.workers();
    process.kill(oldest, 'SIGKILL');
    await eventually('it is gone, counted and replaced', 20_000, async () => {
      const after = await service.scrape().catch(() => undefined); // its own connection may be the killed worker's
      if (!after) return false;
      falls.push(...fallen(before, after));
      before = after;
      return exits(after, 'killed') === kills && ready(after) === 2;
    });
  }
  const report = await load.stop();
  const count = counted(await service.scrape());
  expect(falls).toEqual([]);
  // Each kill can cost what was in flight on the 10 connections, and may have counted it.
  expect(failed(report)).toBeLessThanOrEqual(4 * 10);
  expect(count).toBeGreaterThanOrEqual(report.outcomes.answered);
  expect(count).toBeLessThanOrEqual(report.outcomes.answered + failed(report));
});

test('a stopped worker: /metrics answers within a second with complete counts, and it is killed and replaced', async () => {
  const service = await Service.start({ program: FIXTURE, env: { WORKER_TIMEOUT_MS: '6000' } });
  await fullStrength(service, 2);
  for (let i = 0; i < 40; i++) await service.get('/many');
  const [stopped = 0] = service.workers();
  process.kill(stopped, 'SIGSTOP');
  const stoppedAt = performance.now();
  const answers: number[] = [];
  // A connection may be accepted by the stopped worker; any other is answered.
  const metrics = await eventually('a scrape that reports the missing worker', 5_500, async () => {
    const started = performance.now();
    const scraped = await service.scrape().catch(() => undefined);
    answers.push(performance.now() - started);
    return scraped && total(scraped, 'flask_app_scrape_workers_missing') === 1 && scraped;
  });
  expect(counted(metrics)).toBe(40);
  expect(answers.at(-1)).toBeLessThan(1_000);
  await eventually('it is killed, counted as hung and replaced', 20_000, async () => {
    const after = await service.scrape().catch(() => undefined);
    return after && exits(after, 'hung') === 1 && ready(after) === 2;
  });
  expect(performance.now() - stoppedAt).toBeGreaterThan(5_000);
  expect(service.workers()).not.toContain(stopped);
});

test('five rolling reloads under load: no request fails, all workers are new, nothing exposed falls', async () => {
  const service = await Service.start({ program: FIXTURE });
  let before = await fullStrength(service, 2);
  const load = new Load({ port: service.port, rate: 200, connections: 10, path: '/many' });
  const falls: string[] = [];
  for (let reload = 1; reload <= 5; reload++) {
    const old = service.workers();
    service.signal('SIGHUP');
    const after = await eventually('both workers are new', 30_000, async () => {
      const metrics = await service.scrape();
      return exits(metrics, 'drained') === 2 * reload && ready(metrics) === 2 && metrics;
    });
    falls.push(...fallen(before, after));
    before = after;
    expect(service.workers().filter((pid) => old.includes(pid))).toEqual([]);
  }
  const report = await load.stop();
  expect({ failed: failed(report), failures: report.failures }).toEqual({ failed: 0, failures: [] });
  expect(counted(await service.scrape())).toBe(report.outcomes.answered);
  expect(falls).toEqual([]);
});

test('a reload closes no connection: what was opened before is answered on after', async () => {
  const service = await Service.start({ program: FIXTURE });
  await fullStrength(service, 2);
  // Opened one a request: after ten, each goes on being used in turn.
  const load = new Load({ port: service.port, rate: 20, connections: 10 });
  await eventually('all connections', 10_000, () => load.answered > 20);
  const old = service.workers();
  service.signal('SIGHUP');
  await eventually('both workers are new', 30_000, () => {
    const now = service.workers();
    return now.length === 2 && !now.some((pid) => old.includes(pid));
  });
  const before = load.answered;
  await eventually('answers on all of them', 10_000, () => load.answered > before + 20);
  const report = await load.stop();
  expect({ opened: report.opened, failed: failed(report) }).toEqual({ opened: 10, failed: 0 });
});

test('the scrape that shows a replacement ready has its gauges, however soon it follows another', async () => {
  const service = await Service.start({ program: FIXTURE, env: { WEB_CONCURRENCY: '1' } });
  await fullStrength(service, 1);
  for (let kills = 1; kills <= 3; kills++) {
    process.kill(service.workers()[0] ?? 0, 'SIGKILL');
    const metrics = await eventually('a replacement is ready', 20_000, async () => {
      const scraped = await service.scrape().catch(() => undefined);
      return scraped && exits(scraped, 'killed') === kills && ready(scraped) === 1 && scraped;
    });
    expect(metrics.get('nodejs_version_info')?.samples).toHaveLength(1);
  }
});

/** A connection on which one request was answered, and what becomes of it: its next answer, or its end. */
async function usedConnection(port: number): Promise<() => Promise<'answered' | 'closed'>> {
  const socket = connect(port, '127.0.0.1');
  const request = 'GET /many HTTP/1.1\r\nHost: x\r\n\r\n';
  let closed = false;
  socket.on('error', () => {}).once('close', () => (closed = true));
  socket.write(request);
  await once(socket, 'data');
  return async () => {
    let answered = false;
    socket.once('data', () => (answered = true)).write(request);
    await eventually('an answer, or the end of the connection', 20_000, () => answered || closed);
    socket.destroy();
    return answered ? 'answered' : 'closed';
  };
}

test('connections on their way to a worker that dies are closed: none stays open that nobody answers', async () => {
  const service = await Service.start({ program: FIXTURE });
  await fullStrength(service, 2);
  const [older = 0, heir = 0] = service.workers();
  // A stopped worker accepts no connection, and takes none of those that the other one hands over.
  process.kill(heir, 'SIGSTOP');
  const connections = await Promise.all(Array.from({ length: 10 }, () => usedConnection(service.port)));
  service.signal('SIGHUP');
  await eventually('the older worker is gone', 30_000, () => !service.workers().includes(older));
  process.kill(heir, 'SIGKILL');
  await eventually('its end', 10_000, () => !service.workers().includes(heir));
  const ends = await Promise.all(connections.map((end) => end()));
  const closed = ends.filter((end) => end === 'closed').length;
  // The connections are handed to the two others in turn.
  expect({ closed, answered: ends.length - closed }).toEqual({ closed: 5, answered: 5 });
});

test('requests that crash their worker by an exception: the others are answered, forks are few', async () => {
  const service = await Service.start({ program: FIXTURE, env: { WEB_CONCURRENCY: '2' } });
  await fullStrength(service, 2);
  const poison = new Load({ port: service.port, rate: 20, connections: 'each', path: '/crash' });
  const load = new Load({ port: service.port, rate: 200, connections: 10, path: '/many' });
  await eventually('a thousand answers', 30_000, () => load.answered > 1_000);
  await poison.stop();
  const report = await load.stop();
  expect(failed(report) / report.sent).toBeLessThan(0.01);
  // Two workers, whose replacements are poisoned as soon as they are ready: at most 6 forks in 10 s.
  const generations = [...service.stdout.matchAll(/"worker":(\d+)/g)].map(([, generation]) =>
    Number(generation),
  );
  expect(Math.max(...generations)).toBeLessThanOrEqual(2 + 6 * Math.ceil(report.sent / 2_000));
});

test('a request that aborts its worker: it is replaced at once, however often, and the log says which request it was', async () => {
  const service = await Service.start({ program: FIXTURE });
  await fullStrength(service, 2);
  for (let crashes = 1; crashes <= 8; crashes++) {
    const headers = { 'X-Request-Id': `poison-${crashes}` };
    await service.get('/abort', { headers }).catch(() => undefined); // it has no answer
    await eventually('it is counted and replaced', 20_000, async () => {
      const metrics = await service.scrape().catch(() => undefined); // its own connection may be the dead worker's
      return metrics && exits(metrics, 'crashed') === crashes && ready(metrics) === 2;
    });
  }
  expect(service.stdout).not.toContain('Workers end too soon');
  const inFlight = service.stdout
    .split('\n')
    .filter((line) => line.includes('A worker ended'))
    .map((line) => (JSON.parse(line) as { inFlight: object[] }).inFlight); // the log's own format
  expect(inFlight).toHaveLength(8);
  inFlight.forEach((requests, n) =>
    expect(requests).toContainEqual({
      method: 'GET',
      endpoint: '/abort',
      requestId: `poison-${n + 1}`,
      ms: expect.any(Number),
    }),
  );
});

test('what is no message does not hurt the primary, nor the counts', async () => {
  const service = await Service.start({ program: FIXTURE });
  const before = await fullStrength(service, 2);
  const workers = service.workers();
  for (let i = 0; i < 3; i++) expect((await service.get('/ipc')).status).toBe(200);
  await eventually('it is noticed', 10_000, () => service.stdout.includes('no message of ours'));
  const after = await fullStrength(service, 2);
  expect(fallen(before, after)).toEqual([]);
  expect(total(after, 'flask_app_request_count', { endpoint: '/ipc' })).toBe(3);
  expect(total(after, 'flask_app_request_count', { endpoint: '/' })).toBe(0);
  // A goodbye that is none is not acknowledged: the worker would end.
  expect(service.workers()).toEqual(workers);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});

test('storage that is full: the log names the folder of the counts', async () => {
  // The trap ignores the signal of the limit, which would end the process: a full disk sends none.
  const limited = `trap '' XFSZ; ulimit -f 1; exec "$0" "$@"`;
  const service = await Service.start({ command: ['sh', '-c', limited, process.execPath] });
  const line = await eventually('a worker says so', 20_000, async () => {
    await service.get('/');
    return service.stdout.split('\n').find((one) => one.includes('Request counts stay in memory'));
  });
  expect(JSON.parse(line)).toHaveProperty('folder', expect.stringContaining(`${service.ledgerDir}/`));
});
