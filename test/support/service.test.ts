import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alive } from './processes';
import { Service, disposeAll } from './service';

const folder = mkdtempSync(join(tmpdir(), 'programs-'));

afterEach(disposeAll);
afterAll(() => rmSync(folder, { recursive: true }));

function program(name: string, source: string): string {
  const path = join(folder, `${name}.js`);
  writeFileSync(path, source);
  return path;
}

const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);`;
const serve = `require('node:http').createServer((_, res) => res.end('hi')).listen(process.env.PORT, process.env.HOST);`;

describe('a service under test', () => {
  it('is ready, shows its children and what it prints, and exits on SIGTERM', async () => {
    const source = `${child} ${serve} console.log('up');
      process.on('SIGTERM', () => process.exit(3));`;
    const service = await Service.start({ program: program('good', source) });
    expect((await service.get('/')).body.toString()).toBe('hi');
    expect(service.workers()).toHaveLength(1);
    expect(service.stdout).toBe('up\n');
    expect(await service.stop()).toEqual({ code: 3, signal: null });
  });

  it('leaves no process behind when it is disposed of, also children of a dead primary', async () => {
    const service = await Service.start({ program: program('orphans', `${child} ${serve}`) });
    const pids = service.processes();
    expect(pids).toHaveLength(2);
    service.signal('SIGKILL');
    await service.waitForExit(5000);
    expect(service.processes()).toHaveLength(1);
    await disposeAll();
    expect(pids.filter(alive)).toEqual([]);
  });

  it('says what a program printed that does not start', async () => {
    const broken = program('broken', `console.error('no such luck'); process.exit(7);`);
    await expect(Service.start({ program: broken })).rejects.toThrow(/no such luck/);
  });
});
