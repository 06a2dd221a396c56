import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

const DEPLOY = resolve(__dirname, '../../deploy');

function run(program: string, ...args: string[]) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw error;
  return { status, stdout, stderr };
}

describe('deploy/systemd', () => {
  let folder: string;
  let unit: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'systemd-'));
    unit = join(folder, 'koa-cluster-metrics.service');
    const text = readFileSync(join(DEPLOY, 'systemd/koa-cluster-metrics.service'), 'utf8');
    // systemd looks whether the program is there; where that is differs between hosts.
    writeFileSync(unit, text.replace('/usr/bin/node', process.execPath));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  test('the unit is valid to systemd', () => {
    expect(run('systemd-analyze', 'verify', '--man=no', unit)).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('the unit is exposed to at most 1.5 of 10', () => {
    const { status, stdout } = run('systemd-analyze', 'security', '--offline=true', '--threshold=15', unit);
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Overall exposure'),
    });
  });
});

describe('deploy/kubernetes', () => {
  test('is built by kustomize, with the image that it names', () => {
    const { status, stdout } = run('kubectl', 'kustomize', join(DEPLOY, 'kubernetes'));
    expect(status).toBe(0);
    const kinds = parseAllDocuments(stdout).map((document) => String(document.get('kind')));
    expect(kinds).toHaveLength(5);
    expect(new Set(kinds)).toEqual(
      new Set(['Deployment', 'HorizontalPodAutoscaler', 'PodDisruptionBudget', 'PodMonitor', 'Service']),
    );
    expect(stdout).toMatch(/image: registry\.example\.com\/koa-cluster-metrics:1\.0\.0/);
  });
});
