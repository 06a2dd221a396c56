import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

function run(program: string, args: readonly string[], cwd = ROOT) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

const COMMAND = [join(ROOT, 'dist/cli/main.js'), 'observability'];
let folder: string;

// The committed files are of the API that is described in swagger/.
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'observability-'));
  cpSync(join(ROOT, 'deploy'), join(folder, 'deploy'), { recursive: true });
  mkdirSync(join(folder, 'swagger'));
  cpSync(join(ROOT, 'test/fixtures/greetings/swagger.yaml'), join(folder, 'swagger/swagger.yaml'));
  const { status, output } = run(process.execPath, COMMAND, folder);
  if (status !== 0) throw new Error(output);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('promtool', () => {
  test.each([
    ['check', 'config', 'deploy/prometheus/prometheus.yml'],
    ['check', 'rules', 'deploy/prometheus/rules.yml'],
    ['test', 'rules', 'deploy/prometheus/rules.test.yml'],
    ['test', 'rules', 'deploy/prometheus/rules.long.test.yml'],
  ])('%s %s %s', (...args) => {
    const { status, output } = run('promtool', args, folder);
    expect(output).toContain('SUCCESS');
    expect(status).toBe(0);
  });
});

const check = () => run(process.execPath, [...COMMAND, '--check'], folder);

function changeDescription(from: string, to: string) {
  const path = join(folder, 'swagger/swagger.yaml');
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`nothing to change: ${from}`);
  writeFileSync(path, text.replace(from, to));
}

describe('npm run observability -- --check', () => {
  test('fails for the file that was edited by hand, and names it', () => {
    expect(check()).toEqual({ status: 0, output: '' });
    appendFileSync(join(folder, 'deploy/grafana/dashboard.json'), '\n');
    const { status, output } = check();
    expect(status).toBe(1);
    expect(output).toContain('deploy/grafana/dashboard.json');
    expect(output).not.toContain('rules.yml');
  });

  test('fails for both when an objective changes', () => {
    changeDescription('availability: 0.999', 'availability: 0.99');
    const { status, output } = check();
    expect(status).toBe(1);
    expect(output).toContain('rules.yml');
    expect(output).toContain('dashboard.json');
  });

  test('says what is wrong with an objective', () => {
    changeDescription('threshold: 0.25', 'threshold: 0.3');
    const { status, output } = check();
    expect(status).toBe(1);
    expect(output).toMatch(/swagger\.yaml:\nx-slo\.latency\.threshold: expected .*0\.25.*, got 0\.3\n$/);
  });
});
