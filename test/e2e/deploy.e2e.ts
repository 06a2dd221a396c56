import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { disposeAll, Service } from '../support/service';

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
    writeFileSync(unit, text.replaceAll('/usr/bin/node', process.execPath));
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

describe('the termination contract', () => {
  afterEach(disposeAll);

  test('readiness is 503 first, the listener stays open for the delay, then what is in flight is finished', async () => {
    const delayMs = 2_000;
    const service = await Service.start({ env: { SHUTDOWN_DELAY_MS: String(delayMs) } });
    const body = '{"message":"late"}';
    const inFlight = connect(service.port, '127.0.0.1');
    let answer = '';
    inFlight.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    const head = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
    inFlight.write(`POST /echo HTTP/1.1\r\n${head}\r\n\r\n{`);
    await eventually('the request has arrived', 20_000, async () => {
      return total(await service.scrape(), 'flask_app_requests_in_progress') === 1;
    });

    service.signal('SIGTERM');
    const signalled = performance.now();
    await eventually('readiness is 503', delayMs, async () => (await service.get('/readyz')).status === 503);
    expect((await service.get('/')).status).toBe(200);
    const open = await eventually('the listener is closed', 10_000, async () => {
      const before = performance.now() - signalled;
      return service.get('/').then(
        () => false as const,
        () => before,
      );
    });
    expect(open).toBeGreaterThan(delayMs - 100);
    expect(service.exit).toBeUndefined();
    inFlight.write(body.slice(1));
    await eventually('the answer', 20_000, () => answer.endsWith(body));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await service.waitForExit(10_000)).toEqual({ code: 0, signal: null });
  });
});
