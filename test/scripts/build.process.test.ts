import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { copyProject } from '../support/project';
import { disposeAll, Service } from '../support/service';

jest.setTimeout(120_000);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'build-test-'));
  copyProject(folder);
});
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

function build(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['scripts/build.mjs', ...args], { cwd: folder, encoding: 'utf8' });
}

function edit(file: string, change: (text: string) => string): void {
  const path = join(folder, file);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`nothing to change in ${file}`);
  writeFileSync(path, after);
}

/** Every file of dist/, with what is in it. */
function built(): Record<string, string> {
  const files = readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'utf8')]),
  );
}

const greeting = async (service: Service): Promise<string> => (await service.get('/')).body.toString();
const start = (): Promise<Service> =>
  Service.start({ program: join(folder, 'dist/main.js'), cwd: folder, env: { SHUTDOWN_DELAY_MS: '0' } });

const FAILURES: [string, () => void, string][] = [
  [
    'a source that does not compile',
    () => edit('src/handlers/greet.ts', (text) => `${text}\nexport const wrong: number = 'text';\n`),
    'greet.ts',
  ],
  [
    'a description that is not YAML',
    () => edit('swagger/swagger.yaml', (text) => `${text}\n  - ]`),
    'swagger.yaml',
  ],
  [
    'a schema that can not be compiled',
    () =>
      edit('swagger/swagger.yaml', (text) =>
        text.replace('maxLength: 64', `$&, patternProperties: { '(': {} }`),
      ),
    'Invalid regular expression: /(/',
  ],
  [
    'a description that has no such handler',
    () => edit('swagger/swagger.yaml', (text) => text.replace('operationId: greet', 'operationId: welcome')),
    'greet',
  ],
];

test.each(FAILURES)(
  'after a build that fails (%s) workers that die are replaced by what they were',
  async (_, harm, cause) => {
    expect(build().status).toBe(0);
    const before = built();
    const service = await start();
    await service.allReady(2);

    harm();
    const failed = build();
    expect(failed.status).toBe(1);
    expect(failed.stdout + failed.stderr).toContain(cause);
    expect(built()).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.startsWith('.dist-'))).toEqual([]);

    const old = service.workers();
    for (const worker of old) process.kill(worker, 'SIGKILL');
    await eventually('two new workers', 20_000, () => {
      const workers = service.workers();
      return workers.length === 2 && workers.every((worker) => !old.includes(worker));
    });
    await service.allReady(2);
    expect(await greeting(service)).toContain('Hello');
  },
);

test('a folder without a description, or with two of them, is a line', () => {
  writeFileSync(join(folder, 'swagger/openapi.json'), '{}');
  expect(build()).toMatchObject({
    status: 1,
    stderr: 'Only one can be the API description: swagger/swagger.yaml, swagger/openapi.json.\n',
  });
  rmSync(join(folder, 'swagger'), { recursive: true });
  expect(build()).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^There is no API description: .* is here\.\n$/),
  });
});

test('what is built anew is what a reload runs, and nothing of deleted sources is left', async () => {
  writeFileSync(join(folder, 'src/short-lived.ts'), 'export const shortLived = true;\n');
  expect(build().status).toBe(0);
  expect(existsSync(join(folder, 'dist/short-lived.js'))).toBe(true);
  const service = await start();

  rmSync(join(folder, 'src/short-lived.ts'));
  edit('src/handlers/greet.ts', (text) => text.replace("message: '", "message: 'NEW "));
  expect(build().status).toBe(0);
  expect(existsSync(join(folder, 'dist/short-lived.js'))).toBe(false);
  expect(await greeting(service)).not.toContain('NEW');
  service.signal('SIGHUP');
  await eventually('the new greeting', 20_000, async () => (await greeting(service)).includes('NEW'));
});

test('the description that is served is the one that was built, whatever is written meanwhile', async () => {
  expect(build().status).toBe(0);
  edit('swagger/swagger.yaml', (text) => text.replace('operationId: greet', 'operationId: ]'));
  const service = await start();
  expect(await greeting(service)).toContain('Hello');
});

test('--if-needed builds what has changed, and touches nothing where nothing has', () => {
  expect(build('--if-needed').status).toBe(0);
  const before = statSync(join(folder, 'dist')).ino;
  expect(build('--if-needed').status).toBe(0);
  expect(statSync(join(folder, 'dist')).ino).toBe(before);
  edit('src/handlers/greet.ts', (text) => text.replace("message: '", "message: 'NEW "));
  expect(build('--if-needed').status).toBe(0);
  expect(readFileSync(join(folder, 'dist/handlers/greet.js'), 'utf8')).toContain('NEW');
});

test('a process that was loading while the program was built anew does not serve a mixture', async () => {
  expect(build().status).toBe(0);
  const program = join(folder, 'dist/main.js');
  // The program loads its first modules, then builds, then loads the rest.
  const rebuild = `require('node:child_process').execFileSync(process.execPath, ['scripts/build.mjs'])`;
  edit('dist/main.js', (text) =>
    text.replace('require("./config.js")', `$&; if (require('node:cluster').isWorker) ${rebuild}`),
  );
  const env = { WEB_CONCURRENCY: '1' };
  const service = await Service.start({ program, cwd: folder, readyMs: 0, env });
  expect(await service.waitForExit(60_000)).toEqual({ code: 1, signal: null });
  expect(service.stderr.trim()).toBe(
    'The service was built anew while this process was loading it: start or reload it again.',
  );
});
