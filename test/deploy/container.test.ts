import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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

  test('copies only what the build context has', () => {
    const context = readFileSync(join(DEPLOY, '../.dockerignore'), 'utf8').split('\n');
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list = '']) =>
      list.split(' '),
    );
    expect(sources.length).toBeGreaterThan(2);
    for (const source of sources.filter((name) => name !== '.')) {
      expect(context).toContain(`!${source}`);
    }
    for (const allowed of context.filter((line) => line.startsWith('!'))) {
      expect(existsSync(join(DEPLOY, '..', allowed.slice(1)))).toBe(true);
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
  // Its own deadline and the second in which it ends what is left.
  for (const ms of [apps[0]?.kill_timeout, Number(seconds) * 1000])
    expect(ms).toBeGreaterThan(shutdownTimeoutMs + 1_000);
});
