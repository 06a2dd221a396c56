import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { buildProject } from '../support/project';
import { disposeAll, Service } from '../support/service';

jest.setTimeout(180_000);

const project = mkdtempSync(join(tmpdir(), 'release-project-'));
beforeAll(() => buildProject(project));
afterAll(() => rmSync(project, { recursive: true }));

let folder: string;
let current: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-test-'));
  current = join(folder, 'current');
});
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

/** A release: a project that was built, and greets with a variable of its `.env` and as it is told to. */
function release(name: string, greeting: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const part of ['dist', 'swagger', 'package.json'])
    cpSync(join(project, part), join(path, part), { recursive: true });
  symlinkSync(join(process.cwd(), 'node_modules'), join(path, 'node_modules'));
  const handler = join(path, 'dist/handlers/greet.js');
  writeFileSync(
    handler,
    readFileSync(handler, 'utf8').replace(
      /message: (['"`])/,
      `message: process.env.RELEASE + $1 ${greeting} `,
    ),
  );
  writeFileSync(join(path, '.env'), `RELEASE=${name}\n`);
  return path;
}

function switchTo(path: string): void {
  rmSync(current, { force: true });
  symlinkSync(path, current);
}

const greeting = async (service: Service): Promise<string> => (await service.get('/')).body.toString();

test.each([
  [
    'by its path',
    () => ({ program: join(current, 'dist/main.js'), cwd: '/', env: { ENV_FILE: join(current, '.env') } }),
  ],
  [
    'from its folder',
    () => ({ program: 'dist/main.js', cwd: current, env: { PWD: current, ENV_FILE: '.env' } }),
  ],
])(
  'a release that is started through a link, %s: a reload after a switch runs the new one, also when the old one is gone',
  async (_, options) => {
    const [first, second] = [release('1', 'first'), release('2', 'second')];
    switchTo(first);
    const service = await Service.start({ ...options() });
    await service.allReady(2);
    expect(await greeting(service)).toContain('1 first');
    switchTo(second);
    rmSync(first, { recursive: true });
    const old = service.workers();
    service.signal('SIGHUP');
    await eventually('both workers are new', 30_000, () => {
      const now = service.workers();
      return now.length === 2 && !now.some((pid) => old.includes(pid));
    });
    await service.allReady(2);
    expect(await greeting(service)).toContain('2 second');
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  },
);

test('a reload to a release that is not there leaves the old workers', async () => {
  switchTo(release('1', 'first'));
  const service = await Service.start({ program: join(current, 'dist/main.js'), cwd: '/' });
  await service.allReady(2);
  const old = service.workers();
  switchTo(join(folder, 'absent'));
  service.signal('SIGHUP');
  await eventually('it is said', 30_000, () => service.stdout.includes('the old workers stay'));
  expect(service.workers()).toEqual(old);
  expect(await greeting(service)).toContain('first');
});

test('a service needs no file of its program once it runs: the next build may have other modules there', async () => {
  const path = release('1', 'first');
  const service = await Service.start({ program: join(path, 'dist/main.js'), cwd: path });
  await service.allReady(2);
  rmSync(join(path, 'dist'), { recursive: true });
  const Accept = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
  expect((await service.get('/metrics', { headers: { Accept } })).status).toBe(200);
  const { ledgerDir: LEDGER_DIR, port } = service;
  const command = [
    join(project, 'dist/cli/main.js'),
    'profile',
    '1',
    '--seconds',
    '0.1',
    '--port',
    String(port),
  ];
  const { stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', env: { LEDGER_DIR } });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toHaveProperty('samples');
});
