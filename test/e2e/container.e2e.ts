import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { childrenOf } from '../support/processes';
import { useGreetings } from '../support/project';
import { freePort } from '../support/service';

const ROOT = resolve(__dirname, '../..');
const dockerfile = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');
const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

/*
 * This test does Docker's work by hand, since Docker may be missing: it puts the image's files
 * together as the Dockerfile says, and runs its command as PID 1 of a namespace, on a read-only
 * root, as a user without rights.
 */
let folder: string;
let container: ChildProcess;
let port: number;
let output: string;

/** The arguments of the line of the last stage that begins so. */
function instruction(start: string): string[] {
  const [, json = '[]'] = new RegExp(`^${start} (\\[.*\\])$`, 'm').exec(lastStage) ?? [];
  const parts: string[] = JSON.parse(json);
  return parts;
}

beforeAll(() => {
  // /tmp would not do: the container has its own.
  folder = mkdtempSync('/var/tmp/container-');
  chmodSync(folder, 0o755);
  const context = join(folder, 'context');
  const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
  const allowed = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  for (const name of allowed.filter((path) => existsSync(join(ROOT, path)))) {
    cpSync(join(ROOT, name), join(context, name), { recursive: true });
  }
  useGreetings(context);
  symlinkSync(join(ROOT, 'node_modules'), join(context, 'node_modules'));
  execFileSync('npm', ['run', '-s', 'build'], { cwd: context });
  const app = join(folder, 'app');
  for (const name of ['package.json', 'package-lock.json', 'swagger', 'dist']) {
    cpSync(join(context, name), join(app, name), { recursive: true });
  }
  const install = ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', install, { cwd: app, stdio: 'ignore' });
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  port = await freePort();
  output = '';
  const mounts = ['mount -t tmpfs tmpfs /tmp', 'mount -t tmpfs tmpfs /dev/shm', 'mount -o remount,bind,ro /'];
  const user = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', '--no-new-privs'];
  const command = [...user, ...instruction('ENTRYPOINT'), ...instruction('CMD')].join(' ');
  const script = [...mounts, `cd ${join(folder, 'app')}`, `exec ${command}`].join(' && ');
  container = spawn('unshare', ['--pid', '--fork', '--mount', '--mount-proc', 'sh', '-c', script], {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      NODE_ENV: 'production',
      PORT: String(port),
      HOST: '127.0.0.1',
      WEB_CONCURRENCY: '2',
      ACCESS_LOG: 'off',
    },
  });
  for (const stream of [container.stdout, container.stderr]) {
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  await eventually('the container is ready', 60_000, async () => {
    if (container.exitCode !== null) return true;
    return (await request(port, '/readyz')).status === 200;
  });
});

afterEach(async () => {
  if (container.exitCode !== null) return;
  const closed = once(container, 'close');
  // The end of its PID 1 ends a namespace. `unshare --kill-child` can't: setpriv gave up the signal of the parent's death.
  process.kill(init(), 'SIGKILL');
  await closed;
});

/** PID 1 of the container, as the host numbers it. */
function init(): number {
  const [pid] = childrenOf(container.pid ?? 0);
  if (pid === undefined) throw new Error(`the container has ended: ${output}`);
  return pid;
}

function healthcheck(): number | null {
  const [, ...args] = instruction('  CMD');
  return spawnSync(process.execPath, args, { env: { PORT: String(port) } }).status;
}

test('serves and counts on a read-only file system, as a user without rights, with production packages only', async () => {
  expect((await request(port, '/hello/you')).status).toBe(200);
  const { status, body } = await request(port, '/metrics');
  expect(status).toBe(200);
  expect(body.toString()).toContain('endpoint="/hello/{name}",http_status="200"} 1');
  expect((await request(port, '/docs')).status).toBe(200);
  expect(readFileSync(`/proc/${init()}/status`, 'utf8')).toMatch(/^Uid:\t1000\t1000\t/m);
  expect(output).not.toMatch(/"level":"(?:warn|error|fatal)"/);
});

test('the health check tells ready from not, and a stop ends PID 1 and all the others with 0', async () => {
  expect(healthcheck()).toBe(0);
  process.kill(init(), 'SIGTERM');
  const [code] = await once(container, 'exit');
  expect(code).toBe(0);
  expect(output).toContain('Stopped');
  expect(healthcheck()).toBe(1);
});

test('a process whose parent is gone is reaped', async () => {
  const pid = init();
  execFileSync('nsenter', [
    '--target',
    String(pid),
    '--pid',
    '--mount',
    'sh',
    '-c',
    '(sleep 60 </dev/null >/dev/null 2>&1 &)',
  ]);
  const orphan = () => {
    const list = execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', String(pid)], { encoding: 'utf8' });
    return /^ *(\d+) sleep/m.exec(list)?.[1];
  };
  const left = await eventually('it has been handed to PID 1', 10_000, orphan);
  process.kill(Number(left), 'SIGKILL');
  // A zombie would be in the list as well.
  await eventually('nothing is left of it', 10_000, () => orphan() === undefined);
});
