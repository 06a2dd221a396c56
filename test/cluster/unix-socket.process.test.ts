import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually';
import { parseExposition, total } from '../support/exposition';
import { failed, Load } from '../support/load-client';
import { disposeAll, Service } from '../support/service';

jest.setTimeout(120_000);

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unix-test-'));
  path = join(folder, 'service.sock');
});
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

function get(route: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    http
      .get({ socketPath: path, path: route, agent: false }, (res) => {
        text(res).then((body) => resolve({ status: res.statusCode, body }), reject);
      })
      .on('error', reject);
  });
}

async function start(env: Record<string, string> = {}): Promise<Service> {
  const service = await Service.start({ readyMs: 0, env: { LISTEN: `unix:${path}`, ...env } });
  await eventually('the service is ready', 20_000, () => service.stdout.includes('Ready on'));
  return service;
}

const open = () => connect({ path });

const inUse = (by: string) =>
  `${by} is in use by another program, or is no socket: stop that program or set LISTEN to another path.\n`;

const scrape = async () => parseExposition((await get('/metrics')).body);

test('it serves on the socket, whose file is gone when it has stopped', async () => {
  const service = await start();
  expect(service.stdout).toContain(`Ready on unix:${path} with 2 workers`);
  expect(await get('/hello/you')).toEqual({ status: 200, body: '{"message":"Hello, you!"}' });
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(existsSync(path)).toBe(false);
});

test('LISTEN_MODE says who may connect', async () => {
  await start({ LISTEN_MODE: '606' });
  expect(statSync(path).mode & 0o777).toBe(0o606);
});

test('the file that a killed service has left is replaced', async () => {
  const killed = await start();
  killed.kill();
  await eventually('it is gone', 10_000, () => killed.processes().length === 0);
  expect(existsSync(path)).toBe(true);
  await start();
  expect((await get('/livez')).status).toBe(200);
});

test('where another service listens, or a file is no socket, one line says so and nothing is touched', async () => {
  await start();
  const second = await Service.start({ readyMs: 0, env: { LISTEN: `unix:${path}` } });
  expect(await second.waitForExit(20_000)).toEqual({ code: 1, signal: null });
  expect(second.stderr).toBe(inUse(path));
  expect((await get('/livez')).status).toBe(200);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const third = await Service.start({ readyMs: 0, env: { LISTEN: `unix:${file}` } });
  expect(await third.waitForExit(20_000)).toEqual({ code: 1, signal: null });
  expect(third.stderr).toBe(inUse(file));
});

test('a folder that is not there is told in one line', async () => {
  const service = await Service.start({ readyMs: 0, env: { LISTEN: `unix:${folder}/none/x` } });
  expect(await service.waitForExit(20_000)).toEqual({ code: 1, signal: null });
  expect(service.stderr).toMatch(/^.*\/none\/x can't be made: .*LISTEN.*\n$/);
});

test('reloads under load fail no request, connections are handed over, and the counts are exact', async () => {
  const service = await start();
  const kept = new Load({ port: open, rate: 200, connections: 40, path: '/hello/you' });
  const loads = [kept, new Load({ port: open, rate: 50, connections: 'each', path: '/hello/you' })];
  await eventually('there is load', 10_000, () => kept.answered > 100);
  for (let reload = 1; reload <= 2; reload++) {
    const old = service.workers();
    service.signal('SIGHUP');
    await eventually('all workers are new', 30_000, () => {
      const now = service.workers();
      return now.length === 2 && !now.some((pid) => old.includes(pid));
    });
  }
  const reports = await Promise.all(loads.map((load) => load.stop()));
  expect(reports.map(failed)).toEqual([0, 0]);
  // A connection that was closed would have been opened anew.
  expect(reports[0]?.opened).toBe(40);
  const answered = reports.reduce((sum, { outcomes }) => sum + outcomes.answered, 0);
  const families = await scrape();
  expect(total(families, 'flask_app_request_count', { endpoint: '/hello/{name}' })).toBe(answered);
});

test('a stop lets a request finish that is in flight', async () => {
  const service = await start();
  const socket = connect({ path });
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  const head = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 18';
  socket.write(`POST /echo HTTP/1.1\r\n${head}\r\n\r\n{`);
  await eventually('the request has arrived', 10_000, async () => {
    return total(await scrape(), 'flask_app_requests_in_progress') === 1;
  });
  service.signal('SIGTERM');
  await eventually('nobody listens', 10_000, () =>
    get('/livez').then(
      () => false,
      () => true,
    ),
  );
  socket.write('"message":"late"}');
  expect(await service.waitForExit(15_000)).toEqual({ code: 0, signal: null });
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\{"message":"late"\}$/);
});

test('the commands find it by LISTEN, or by --port', async () => {
  const service = await start();
  const status = async (env: object, ...args: string[]) => {
    const command = ['dist/cli/main.js', 'status', ...args];
    const options = { env: { LEDGER_DIR: service.ledgerDir, ...env } };
    return (await promisify(execFile)(process.execPath, command, options)).stdout.split('\n')[0];
  };
  expect(await status({ LISTEN: `unix:${path}`, PORT: '1' })).toBe(`unix:${path}`);
  expect(await status({}, '--port', `unix:${path}`)).toBe(`unix:${path}`);
});
