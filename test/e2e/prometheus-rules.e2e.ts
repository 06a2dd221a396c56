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

/** Makes a folder with the rules and the dashboard of this package, and without a description. */
function makeProject(): string {
  const made = mkdtempSync(join(tmpdir(), 'observability-'));
  cpSync(join(ROOT, 'deploy'), join(made, 'deploy'), { recursive: true });
  mkdirSync(join(made, 'swagger'));
  return made;
}

// The committed files are of the API that is described in swagger/.
beforeAll(() => {
  folder = makeProject();
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

/** Names a series of requests for boxes. */
const series = (status: number) =>
  `flask_app_request_count{job="flask_app",instance="a",method="GET",endpoint="/boxes",http_status="${status}"}`;

describe('npm run observability, with a description in several files', () => {
  let project: string;
  beforeEach(() => (project = makeProject()));
  afterEach(() => rmSync(project, { recursive: true, force: true }));

  const GOALS = { availability: 0.999, latency: { threshold: 0.25, ratio: 0.99 }, window: '30d' };

  /** Describes an operation of another file than the first one. */
  function describeBoxes(operation: object) {
    const head = { openapi: '3.1.0', info: { title: 'Boxes', version: '1' } };
    write('swagger/openapi.json', { ...head, paths: { '/boxes': { $ref: 'boxes.json' } } });
    write('swagger/boxes.json', { get: { ...operation, responses: { 200: { description: 'Fine.' } } } });
  }

  function write(file: string, content: object) {
    writeFileSync(join(project, file), JSON.stringify(content));
  }

  /** Has promtool say whether an alert with these labels fires when half of the requests for boxes fail. */
  function expectAlert(labels: string) {
    const input = [200, 500].map((status) => ({ series: series(status), values: '0+60x120' }));
    const exp_samples = [{ labels: '{}', value: 1 }];
    write('deploy/prometheus/boxes.test.yml', {
      rule_files: ['rules.yml'],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: input,
          promql_expr_test: [
            { expr: `count(ALERTS{alertstate="firing",${labels}})`, eval_time: '1h', exp_samples },
          ],
        },
      ],
    });
    const { output } = run('promtool', ['test', 'rules', 'deploy/prometheus/boxes.test.yml'], project);
    expect(output).toContain('SUCCESS');
  }

  test('an objective of an operation in another file, under any id, burns', () => {
    describeBoxes({ operationId: 'boxes/"all"', 'x-slo': GOALS });
    expect(run(process.execPath, COMMAND, project)).toEqual({ status: 0, output: '' });
    expectAlert(String.raw`alertname="AvailabilityBudgetBurn",slo="boxes/\"all\"",severity="page"`);
  });

  test('without x-slo an endpoint that fails is a ticket all the same, and the missing objectives are told', () => {
    describeBoxes({});
    const { status, output } = run(process.execPath, COMMAND, project);
    expect({ status, output }).toEqual({
      status: 0,
      output: expect.stringMatching(/^swagger\/openapi\.json: no x-slo, so no objectives and no alerts/),
    });
    expectAlert('alertname="EndpointFailing",endpoint="/boxes",severity="ticket"');
  });

  test('a description that is not served, or not there, is a line', () => {
    describeBoxes({ parameters: [{ $ref: 'none.json' }] });
    expect(run(process.execPath, COMMAND, project)).toEqual({
      status: 1,
      output: expect.stringMatching(/^swagger\/boxes\.json:1:\d+ .*"none\.json" cannot be read: ENOENT.*\n$/),
    });
    rmSync(join(project, 'swagger'), { recursive: true });
    expect(run(process.execPath, COMMAND, project)).toEqual({
      status: 1,
      output: expect.stringMatching(
        /^There is no API description: none of swagger\/swagger\.yaml,.* is here\.\n$/,
      ),
    });
  });
});
