import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerStatus } from '../../src/metrics/worker-status';
import { eventually } from '../support/eventually';
import { Load } from '../support/load-client';
import { disposeAll, Service, type ServiceOptions } from '../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');
const CLI = join(process.cwd(), 'dist/cli/main.js');

jest.setTimeout(120_000);
afterEach(() => disposeAll());

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a command as a person does, in the environment of the service unless `env` says otherwise.
 * @param onOutput called with the output so far
 */
function command(
  service: Pick<Service, 'ledgerDir' | 'port'>,
  args: string[],
  env = {},
  onOutput: (out: string) => void = () => {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env['PATH'], LEDGER_DIR: service.ledgerDir, PORT: String(service.port), ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('latin1').on('data', (text: string) => onOutput((out += text)));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const start = (options: ServiceOptions = {}): Promise<Service> =>
  Service.start({ program: FIXTURE, ...options });

async function workersOf(service: Service): Promise<WorkerStatus[]> {
  const { out } = await command(service, ['status', '--json']);
  return JSON.parse(out) as WorkerStatus[]; // what it prints
}

test('status shows every worker, and what it does', async () => {
  const service = await start();
  await service.allReady(2);
  const load = new Load({ port: service.port, rate: 100, connections: 4, path: '/slow?ms=20' });
  const workers = await eventually('traffic is seen', 20_000, async () => {
    const seen = await workersOf(service);
    const rates = seen.map(({ requestsPerSecond = 0 }) => requestsPerSecond);
    return rates.reduce((a, b) => a + b, 0) > 50 && seen;
  });
  await load.stop();
  expect(new Set(workers.map(({ pid }) => pid))).toEqual(new Set(service.workers()));
  for (const { state, restarts, rssBytes = 0, cpu = -1, eventLoopDelaySeconds = -1 } of workers) {
    expect({ state, restarts }).toEqual({ state: 'ready', restarts: 0 });
    expect(rssBytes).toBeGreaterThan(20 * 2 ** 20);
    expect(Math.min(cpu, eventLoopDelaySeconds)).toBeGreaterThanOrEqual(0);
  }
  expect(Math.max(...workers.map(({ p99Seconds = 0 }) => p99Seconds))).toBeGreaterThan(0.01);
  const { code, out, err } = await command(service, ['status']);
  expect({ code, err, coloured: out.includes('\x1b') }).toEqual({ code: 0, err: '', coloured: false });
  expect(out).toContain(`http://127.0.0.1:${service.port}\npid ${service.pid}, up `);
  expect(out.trim().split('\n')).toHaveLength(7);
});

test('--watch draws it again, and says when the service has ended', async () => {
  const service = await start();
  let piped = '';
  const watching = command(service, ['status', '--watch'], {}, (out) => (piped = out));
  // script(1) makes a terminal, on which the command draws over its last table, in colours.
  const terminal = spawn('script', ['-qfec', `${process.execPath} ${CLI} status --watch`, '/dev/null'], {
    env: {
      PATH: process.env['PATH'],
      LEDGER_DIR: service.ledgerDir,
      PORT: String(service.port),
      TERM: 'xterm',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let drawn = '';
  terminal.stdout.setEncoding('latin1').on('data', (text: string) => (drawn += text));
  const ended = new Promise((resolve) => terminal.on('close', resolve));
  await eventually('the second drawing of both', 20_000, () =>
    [drawn, piped].every((text) => text.split('WORKER').length > 2),
  );
  await service.stop();
  expect(await watching).toMatchObject({ code: 1, err: 'The service has ended.\n' });
  await ended;
  expect(drawn).toContain('\x1b[H\x1b[J');
  expect(drawn).toContain('\x1b[32m');
});

test('--watch ends without a word when its reader has gone', async () => {
  const service = await start();
  const child = spawn(process.execPath, [CLI, 'status', '--watch'], {
    env: { PATH: process.env['PATH'], LEDGER_DIR: service.ledgerDir, PORT: String(service.port) },
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, err }).toEqual({ code: 0, err: '' });
});

test('a worker that hangs is shown, too', async () => {
  const service = await start();
  const [stopped = 0] = service.workers();
  process.kill(stopped, 'SIGSTOP');
  const hung = await eventually('it is silent', 20_000, async () => {
    const worker = (await workersOf(service)).find(({ pid }) => pid === stopped);
    return worker && worker.silentSeconds > 2 && worker;
  });
  process.kill(stopped, 'SIGCONT');
  expect(hung.state).toBe('ready');
});

test('reload waits until all workers are new', async () => {
  const service = await start();
  await service.allReady(2);
  const old = service.workers();
  expect(await command(service, ['reload'])).toEqual({
    code: 0,
    out: 'Reloaded: all workers are new.\n',
    err: '',
  });
  expect(service.workers()).toHaveLength(2);
  expect(service.workers().filter((pid) => old.includes(pid))).toEqual([]);
  expect((await workersOf(service)).map(({ restarts }) => restarts)).toEqual([1, 1]);
});

test('a reload whose new workers do not start fails, and says so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'commands-test-'));
  const fault = join(folder, 'fault');
  const service = await start({ env: { FAULT_BOOT: 'exit', FAULT_BOOT_WHILE: fault } });
  await service.allReady(2);
  const old = service.workers();
  writeFileSync(fault, '');
  const { code, err } = await command(service, ['reload']);
  expect({ code, err }).toEqual({
    code: 1,
    err: 'A new worker did not get ready; the old workers stay. The log says why.\n',
  });
  expect(service.workers()).toEqual(expect.arrayContaining(old));
  rmSync(folder, { recursive: true });
});

test('log-level changes what is logged, by the workers that come later, too', async () => {
  const service = await start({ env: { LOG_LEVEL: 'error' } });
  expect(await command(service, ['log-level', 'verbose'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^The level must be one of/),
  });
  expect((await command(service, ['log-level', 'info'])).code).toBe(0);
  const [first = 0] = service.workers();
  process.kill(first, 'SIGKILL');
  await eventually('the primary logs it', 10_000, () => service.stdout.includes('A worker ended'));
});

test('log-level reaches a worker that is still loading its code', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-level-'));
  const [program, gate] = [join(folder, 'program.mjs'), join(folder, 'gate')];
  // Messages that come before the package is loaded meet nobody.
  writeFileSync(
    program,
    `import cluster from 'node:cluster';
     import { existsSync } from 'node:fs';
     import { setTimeout } from 'node:timers/promises';
     if (cluster.isWorker) process.on('message', () => {});
     while (cluster.isWorker && existsSync(${JSON.stringify(gate)})) await setTimeout(10);
     const { serve } = await import(${JSON.stringify(join(process.cwd(), 'dist/main.js'))});
     await serve((req, res) => res.end('served'));`,
  );
  const service = await start({
    program,
    env: { LOG_LEVEL: 'error', ACCESS_LOG: 'on', WEB_CONCURRENCY: '1' },
  });
  const [killed = 0] = service.workers();
  writeFileSync(gate, '');
  process.kill(killed, 'SIGKILL');
  await eventually('the next worker exists', 10_000, () =>
    service.workers().some((worker) => worker !== killed),
  );
  expect((await command(service, ['log-level', 'info'])).code).toBe(0);
  rmSync(gate);
  await eventually('the worker logs what it answers', 30_000, async () => {
    await service.get('/hello/Ada');
    return service.stdout.includes('Request answered');
  });
  rmSync(folder, { recursive: true });
});

test('log-level stays after a reload that fails at its second worker, for those that come later, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-level-'));
  const [fault, begun] = [join(folder, 'fault'), join(folder, 'begun')];
  const service = await start({
    env: {
      LOG_LEVEL: 'fatal',
      ACCESS_LOG: 'on',
      FAULT_BOOT: 'exit',
      FAULT_BOOT_WHILE: fault,
      FAULT_BEGUN: begun,
    },
  });
  await service.allReady(2);
  await command(service, ['log-level', 'info']);
  rmSync(begun);
  const reload = command(service, ['reload']);
  await eventually('the first new worker begins', 20_000, () => existsSync(begun));
  writeFileSync(fault, '');
  expect((await reload).code).toBe(1);
  rmSync(fault);
  const allLog = async () => {
    await service.allReady(2);
    const said = service.stdout.length;
    for (const pid of service.workers())
      await eventually('a worker logs what it answers', 10_000, async () => {
        await service.get('/hello/Ada');
        return new RegExp(`"pid":${pid}\\b.*Request answered`).test(service.stdout.slice(said));
      });
  };
  await allLog();
  const before = service.workers();
  for (const worker of before) process.kill(worker, 'SIGKILL');
  await eventually('the primary logs it', 10_000, () => service.stdout.includes('"reason":"killed"'));
  await eventually('new workers', 20_000, () => !service.workers().some((pid) => before.includes(pid)));
  await allLog();
  rmSync(folder, { recursive: true });
});

test('profile gives a CPU profile of a worker, by its number or its pid', async () => {
  const service = await start();
  const [pid] = service.workers();
  for (const worker of ['1', String(pid)]) {
    const { code, out, err } = await command(service, ['profile', worker, '--seconds', '0.2']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ nodes: expect.any(Array), samples: expect.any(Array) });
  }
});

test('heap gives a snapshot of the heap of a worker, which goes on', async () => {
  const service = await start();
  await service.allReady(2);
  const before = service.workers();
  const { code, out } = await command(service, ['heap', '1']);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ snapshot: { node_count: expect.any(Number) } });
  expect(service.workers()).toEqual(before);
});

/** Tells whether a command is connected to the primary (proc(5): state 03, the path of the listening socket). */
function hasClient({ ledgerDir }: Service): boolean {
  const sockets = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return sockets.some(
    (line) => / 03 +\d+ /.test(line) && line.includes(`${ledgerDir}/`) && line.endsWith('control.sock'),
  );
}

test('a worker that ends while it is asked is said to have ended', async () => {
  const service = await start();
  const [worker] = await workersOf(service);
  const profile = command(service, ['profile', '1', '--seconds', '60']);
  const { pid = 0 } = worker ?? {};
  await eventually('the primary is asked', 20_000, () => hasClient(service));
  // What is asked before is taken in before.
  await workersOf(service);
  process.kill(pid, 'SIGKILL');
  expect(await profile).toMatchObject({ code: 1, err: 'The worker has ended.\n' });
});

test.each([
  [['profile', '7'], 'There is no worker 7: `koa-cluster-metrics status` shows them.'],
  [['profile', 'x'], 'A worker is known by its number or pid, not by "x".'],
  [['profile'], 'Say of which worker; `koa-cluster-metrics status` shows them.'],
  [['profile', '1', '--seconds', 'soon'], 'A profile takes more than 0 and at most 600 seconds.'],
  [['log-level', 'debug', '2'], 'log-level takes no 2; --help lists what it takes.'],
  [['clean-ledgers', '--check'], 'clean-ledgers takes no --check; --help lists what it takes.'],
  [['frobnicate'], 'There is no command frobnicate; --help lists them.'],
])('%j is refused with a line', async (args, line) => {
  const service = await start();
  expect(await command(service, args)).toEqual({ code: 1, out: '', err: `${line}\n` });
});

test('--version prints the version of the package', () => {
  const { version }: { version: string } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(execFileSync(process.execPath, [CLI, '--version'], { encoding: 'utf8' })).toBe(`${version}\n`);
});

test('a command whose output is on a full disk fails with a line', async () => {
  const service = await start();
  const { ledgerDir: LEDGER_DIR, port } = service;
  for (const args of ['status', 'status --json', 'heap 1']) {
    const shell = `"$0" ${CLI} ${args} --port ${port} > /dev/full`;
    const env = { PATH: process.env['PATH'], LEDGER_DIR };
    const { status, stderr } = spawnSync('sh', ['-c', shell, process.execPath], { encoding: 'utf8', env });
    expect([status, stderr]).toEqual([1, 'ENOSPC: no space left on device, write\n']);
  }
});

test('the socket and its folder are for their user only', async () => {
  const service = await start();
  const [folder = ''] = readdirSync(service.ledgerDir).filter((name) =>
    name.startsWith('koa-cluster-metrics-'),
  );
  const path = join(service.ledgerDir, folder);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(path, 'control.sock')).mode & 0o777).toBe(0o600);
});

test('where no service runs, or several do, it says what to do', async () => {
  const one = await start();
  const shared = { LEDGER_DIR: one.ledgerDir };
  const two = await start({ env: shared });
  const either = await command(one, ['status'], { PORT: '' });
  expect(either.code).toBe(1);
  expect(either.err).toMatch(/^Several services run here: .*\. Say which one by --port\.\n$/);
  for (const { port, pid } of [one, two]) expect(either.err).toContain(`${port} (pid ${pid})`);
  expect((await command(one, ['status', '--port', String(two.port)])).out).toContain(`pid ${two.pid},`);
  await two.stop();
  expect((await command(one, ['status'], { PORT: '' })).out).toContain(`pid ${one.pid},`);
  const wrong = await command(one, ['status', '--port', '1']);
  expect(wrong.err).toBe(`No service listens on 1; there is 127.0.0.1:${one.port} (pid ${one.pid}).\n`);
  await one.stop();
  expect((await command(one, ['status'])).err).toMatch(/^No service runs here\./);
});

test('services of one port are told apart by their hosts', async () => {
  const one = await start();
  const elsewhere = { HOST: '127.0.0.2', PORT: String(one.port), LEDGER_DIR: one.ledgerDir };
  const two = await start({ env: elsewhere });
  const asked = ['--port', `127.0.0.2:${one.port}`];
  await eventually('the second one is found', 20_000, async () => {
    return (await command(one, ['status', ...asked])).out.includes(`pid ${two.pid},`);
  });
  expect((await command(one, ['status'])).err).toContain(`127.0.0.2:${one.port} (pid ${two.pid})`);
  expect((await command(one, ['status'], { HOST: '127.0.0.1' })).out).toContain(`pid ${one.pid},`);
  expect((await command(one, ['status'], elsewhere)).out).toContain(`pid ${two.pid},`);
});

test('a service that hangs keeps nobody from the others, and is named', async () => {
  const one = await start();
  const two = await start({ env: { LEDGER_DIR: one.ledgerDir } });
  one.signal('SIGSTOP');
  try {
    expect((await command(two, ['status'], { LEDGER_DIR: one.ledgerDir })).out).toContain(`pid ${two.pid},`);
    expect((await command(one, ['status'])).err).toMatch(
      /^The service of .*koa-cluster-metrics-.* does not answer\.\n$/,
    );
  } finally {
    one.signal('SIGCONT');
  }
});

test('the commands find a service that has its place from ENV_FILE', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'env-file-'));
  const ENV_FILE = join(folder, '.env');
  const service = await start();
  const socket = join(folder, 'api.sock');
  // The key files may be for the service's user alone.
  const keys = ['TLS_CERT', 'TLS_KEY'].map((name) => `${name}=${folder}/none.pem\n`).join('');
  const env = { ENV_FILE, LEDGER_DIR: '', PORT: '' };
  try {
    writeFileSync(ENV_FILE, `PORT=${service.port}\nLEDGER_DIR=${service.ledgerDir}\n${keys}`);
    expect((await command(service, ['status'], env)).out).toContain(`pid ${service.pid},`);
    expect((await command(service, ['clean-ledgers'], env)).out).toBe(
      `Nothing is left over in ${service.ledgerDir}\n`,
    );
    writeFileSync(ENV_FILE, `LISTEN=unix:${socket}\nLEDGER_DIR=${service.ledgerDir}\n`);
    const elsewhere = `No service listens on unix:${socket}; there is 127.0.0.1:${service.port} (pid ${service.pid}).\n`;
    expect((await command(service, ['status'], env)).err).toBe(elsewhere);
    rmSync(ENV_FILE);
    const missing = `ENV_FILE: expected a file that can be read, got "${ENV_FILE}" (ENOENT)\n`;
    expect(await command(service, ['reload'], env)).toEqual({ code: 1, out: '', err: missing });
    expect(await command(service, ['clean-ledgers'], env)).toEqual({ code: 1, out: '', err: missing });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("another user's service is named as such", async () => {
  const service = await start();
  chmodSync(service.ledgerDir, 0o755);
  const run = (user: number) =>
    spawnSync(process.execPath, [CLI, 'status'], {
      env: { LEDGER_DIR: service.ledgerDir },
      encoding: 'utf8',
      uid: user,
    });
  if (process.geteuid?.() !== 0) return; // only root can be somebody else
  const { status, stderr } = run(65_534);
  expect(status).toBe(1);
  expect(stderr.replaceAll(service.ledgerDir, '')).toMatch(
    /^No service of yours runs here\. That of \/koa-cluster-metrics-\w+ is of the user with id 0: run this as that user or as root\.\n$/,
  );
});
