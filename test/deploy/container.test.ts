import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { readConfig } from '../../src/config';

const DEPLOY = resolve(__dirname, '../../deploy');
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');

interface Compose {
  services: Record<
    string,
    { volumes?: string[]; environment: Record<string, string>; stop_grace_period: string }
  >;
}

describe('deploy/Dockerfile', () => {
  const dockerfile = read('Dockerfile');
  const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

  test('is a valid Dockerfile', () => {
    expect(validate(dockerfile)).toEqual([]);
  });

  test('runs the program without a shell in between, as a user without rights, under an init that reaps', () => {
    expect(lastStage).toMatch(/^USER node$/m);
    expect(lastStage).toMatch(/^ENTRYPOINT \["tini", "--"\]$/m);
    expect(lastStage).toMatch(/^CMD \["node", "dist\/main\.js"\]$/m);
    expect(lastStage.indexOf('\nUSER node')).toBeGreaterThan(lastStage.lastIndexOf('\nCOPY'));
  });

  test('has what the build made, and of the packages only those that run', () => {
    const stages = Object.fromEntries(
      dockerfile.split(/^(?=FROM )/m).map((stage) => [/ AS (\w+)$/m.exec(stage)?.[1] ?? 'last', stage]),
    );
    expect(stages['production']).toMatch(/^RUN npm ci --omit=dev --ignore-scripts$/m);
    expect([...lastStage.matchAll(/^COPY --from=(\w+) (\S+) (\S+)$/gm)].map(([, ...copy]) => copy)).toEqual([
      ['production', '/app/node_modules', 'node_modules'],
      ['build', '/app/dist', 'dist'],
    ]);
    expect(lastStage).not.toMatch(/npm/);
  });

  test.each([
    ['/readyz', 200, 0],
    ['/readyz', 503, 1],
    ['/livez', 200, 1],
  ])('its health check with %s a %i exits with %i', async (path, status, code) => {
    const server = createServer((req, res) => res.writeHead(req.url === path ? status : 404).end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // a TCP server has no other
    const [program = '', ...args]: string[] = JSON.parse(/^ {2}CMD (\[.*\])$/m.exec(lastStage)?.[1] ?? '[]');
    expect(program).toBe('node');
    const env = { PATH: process.env['PATH'], PORT: String(port) };
    const check = spawn(process.execPath, args, { env, stdio: 'ignore' });
    expect(await once(check, 'exit')).toEqual([code, null]);
    server.close();
  });

  test('its health check fails where nothing listens', () => {
    const [, ...args]: string[] = JSON.parse(/^ {2}CMD (\[.*\])$/m.exec(lastStage)?.[1] ?? '[]');
    const env = { PATH: process.env['PATH'], PORT: '1' };
    expect(spawnSync(process.execPath, args, { env }).status).toBe(1);
  });

  test('copies only what the build context has', () => {
    const context = readFileSync(join(DEPLOY, '../.dockerignore'), 'utf8').split('\n');
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list = '']) =>
      list.split(' '),
    );
    expect(sources.length).toBeGreaterThan(2);
    const allowed = context.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    // The pattern stands for these three.
    const packages = ['package.json', 'package-lock.json', 'package.tgz'];
    const named = sources.flatMap((name) => (name === 'package*' ? packages : [name]));
    for (const name of named.filter((source) => source !== '.')) expect(allowed).toContain(name);
    // A project has the package as a file where no registry has it.
    for (const name of allowed.filter((path) => path !== 'package.tgz')) {
      expect(existsSync(join(DEPLOY, '..', name))).toBe(true);
    }
  });
});

describe('deploy/compose.yaml', () => {
  const { services }: Compose = parse(read('compose.yaml'));

  test('keeps the schema of the Compose specification and the rules of its linter', () => {
    const linter = join(DEPLOY, '../node_modules/dclint/bin/dclint.cjs');
    const { status, stdout } = spawnSync(process.execPath, [linter, '--max-warnings', '0', 'compose.yaml'], {
      cwd: DEPLOY,
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '\n' });
  });

  test('mounts files that are there', () => {
    const sources = Object.values(services)
      .flatMap(({ volumes = [] }) => volumes)
      .filter((volume) => volume.startsWith('.'))
      .map((volume) => volume.split(':')[0] ?? '');
    expect(sources.filter((source) => !existsSync(join(DEPLOY, source)))).toEqual([]);
    expect(sources.length).toBeGreaterThan(0);
  });

  test('kills the service only after the whole shutdown has had its time', () => {
    const { environment = {}, stop_grace_period: grace = '' } = services['app'] ?? {};
    expect(Number(/^(\d+)s$/.exec(grace)?.[1])).toBeGreaterThan(
      readConfig(environment).shutdownTimeoutMs / 1000,
    );
  });
});

test('PM2 and systemd give a stop more time than the service takes for it', () => {
  const { apps } = require('../../ecosystem.config.js') as { apps: { kill_timeout: number }[] };
  const { shutdownTimeoutMs } = readConfig({});
  const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(read('systemd/koa-cluster-metrics.service')) ?? [];
  // The service's own deadline, and the second in which it cuts off the rest.
  for (const ms of [apps[0]?.kill_timeout, Number(seconds) * 1000])
    expect(ms).toBeGreaterThan(shutdownTimeoutMs + 1_000);
});

test('systemd keeps the counts when it stops the service: in a folder in memory that is not removed with the dynamic user', () => {
  const lines = read('systemd/koa-cluster-metrics.service').split('\n');
  expect(lines).toContain('RuntimeDirectory=koa-cluster-metrics');
  expect(lines).toContain('RuntimeDirectoryPreserve=yes');
  const [, ledgerDir = ''] = /^Environment=LEDGER_DIR=(.*)$/m.exec(lines.join('\n')) ?? [];
  expect(readConfig({ LEDGER_DIR: ledgerDir }).ledgerDir).toBe('/run/koa-cluster-metrics');
});

test('systemd waits until the service serves and until a reload is over, by the command of the package', () => {
  const unit = read('systemd/koa-cluster-metrics.service');
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1];
  expect(setting('Type')).toBe('notify');
  const { bin } = require('../../package.json') as { bin: Record<string, string> };
  expect(setting('ExecReload')).toBe(`/usr/bin/node ${bin['koa-cluster-metrics']} reload`);
  // A primary looks at its workers several times a second.
  expect(Number(setting('WatchdogSec'))).toBeGreaterThanOrEqual(10);
});
