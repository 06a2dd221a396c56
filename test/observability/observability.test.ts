import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { dashboardFile } from '../../src/observability/dashboard';
import { checkButSchemas } from '../../src/openapi/compile-description';
import { type Objective, readObjectives, watchedOperations } from '../../src/openapi/operations/objectives';
import { rulesFile } from '../../src/observability/rules';
import { readConfig } from '../../src/config';

interface GridPos {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPos;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: { readonly uid: string };
  }[];
}

interface Rule {
  readonly alert?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface AlertCase {
  readonly alertname: string;
  readonly exp_alerts: readonly { readonly exp_labels: Readonly<Record<string, string>> }[];
}

const read = (path: string) => readFileSync(path, 'utf8');
const GREETINGS = join(__dirname, '../fixtures/greetings/swagger.yaml');
const { metricsBuckets, metricsPrefix } = readConfig({});
const { operations } = checkButSchemas(GREETINGS);
const objectives = readObjectives(operations, metricsBuckets);
const watched = watchedOperations(operations);
const dashboard = JSON.parse(dashboardFile(objectives, metricsPrefix, 'docs'));
const panels: readonly Panel[] = dashboard.panels;
const graphs = panels.filter(({ type }) => type !== 'row');

function rulesOf(some: readonly Objective[]): readonly Rule[] {
  const { groups } = parse(rulesFile(some, watched, metricsPrefix, 'docs'));
  return groups.flatMap((group: { rules: Rule[] }) => group.rules);
}

const aboutRequests = (some: readonly Rule[]) =>
  some.filter(({ alert }) => /Endpoint|Budget/.test(alert ?? ''));

const rules = rulesOf(objectives);

function alertCases(file: string): readonly AlertCase[] {
  const { tests } = parse(read(`deploy/prometheus/${file}`));
  return tests.flatMap(({ alert_rule_test = [] }: { alert_rule_test?: AlertCase[] }) => alert_rule_test);
}

const alerts = rules.filter(({ alert }) => alert !== undefined);

test('no objective is about health, metrics and documentation', () => {
  const endpoints = objectives.flatMap((objective) => objective.operations.map(({ endpoint }) => endpoint));
  expect(endpoints).toContain('/');
  expect(endpoints.filter((endpoint) => /^\/(metrics|livez|readyz|docs|openapi)/.test(endpoint))).toEqual([]);
});

describe('alerts', () => {
  test.each(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s says what it is and where to read on',
    (name, rule) => {
      expect(['page', 'ticket']).toContain(rule.labels?.['severity']);
      expect(rule.annotations['summary']).toMatch(/\S/);
      expect(rule.annotations['description']).toMatch(/\S/);
      expect(rule.annotations['runbook_url']).toBe(`docs/runbook.md#${name?.toLowerCase()}`);
    },
  );

  test('without objectives one tells of an endpoint that fails, and none of budgets', () => {
    const failing = aboutRequests(rules).filter(({ alert }) => alert === 'EndpointFailing');
    expect(failing).toHaveLength(1);
    expect(aboutRequests(rulesOf([]))).toEqual(failing);
  });

  test('the runbook has one section for each: what it means, what to look at, what to do', () => {
    const sections = read('docs/runbook.md').split(/^## /m).slice(1);
    const names = sections.map((section) => section.split('\n', 1)[0]);
    expect(new Set(names)).toEqual(new Set(alerts.map(({ alert }) => alert)));
    expect(names).toHaveLength(new Set(names).size);
    for (const section of sections)
      expect(section).toMatch(/^\*\*Means\*\*.*^\*\*Look at\*\*.*^\*\*Do\*\*/ms);
  });

  test('each has a unit test that sees it fire and one that sees it silent', () => {
    const cases = ['rules.test.yml', 'rules.long.test.yml'].flatMap(alertCases);
    for (const { alert, labels } of alerts) {
      const fires = cases
        .filter(({ alertname }) => alertname === alert)
        .map(({ exp_alerts }) =>
          exp_alerts.some((one) => one.exp_labels['severity'] === labels?.['severity']),
        );
      expect({ alert, labels, fires: new Set(fires) }).toEqual({
        alert,
        labels,
        fires: new Set([true, false]),
      });
    }
  });
});

describe('the dashboard', () => {
  test('has unique panel ids, and panels that lie in the grid without overlap', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => [x + (i % w), y + Math.floor(i / w)] as const),
    );
    expect(cells.every(([x]) => x >= 0 && x < 24)).toBe(true);
    expect(new Set(cells.map(String)).size).toBe(cells.length);
  });

  test('asks the chosen Prometheus only, and each panel says what it shows', () => {
    expect(graphs.length).toBeGreaterThan(20);
    for (const { title, description, datasource, targets = [] } of graphs) {
      expect(title).toMatch(/\S/);
      expect(description).toMatch(/\S/);
      expect(datasource?.uid).toBe('${datasource}');
      expect(targets.length).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const target of targets) expect(target.datasource.uid).toBe('${datasource}');
    }
  });

  test('every query is narrowed by the variables it can be narrowed by, and uses no other', () => {
    const names = dashboard.templating.list.map(({ name }: { name: string }) => name);
    expect(names).toEqual(['datasource', 'job', 'instance', 'endpoint', 'latency']);
    for (const { expr } of graphs.flatMap(({ targets = [] }) => targets)) {
      const used = [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name);
      expect(used).toContain('job');
      expect(used.filter((name) => name !== '__rate_interval' && !names.includes(name))).toEqual([]);
    }
  });

  test('has the rows that people look for', () => {
    expect(panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual([
      'Overview',
      'Objectives',
      'Traffic',
      'Errors',
      'Latency',
      'Saturation',
      'Workers',
      'Scrape health',
    ]);
    expect(graphs.map(({ type }) => type)).toContain('heatmap');
  });
});
