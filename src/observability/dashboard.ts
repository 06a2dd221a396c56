import type { Objective } from '../openapi/operations/objectives.js';
import { type MetricNames, metricNames } from './metric-names.js';
import { objectiveRow } from './objective-row.js';
import { DATASOURCE, type Row } from './panels.js';
import { saturationRow, scrapeRow, workersRow } from './process-rows.js';
import { errorsRow, latencyRow, overviewRow, trafficRow } from './request-rows.js';

/**
 * The text of dashboard.json for these objectives and a METRICS_PREFIX. `docs` is the folder of the runbook.
 */
export function dashboardFile(objectives: readonly Objective[], prefix: string, docs: string): string {
  const names = metricNames(prefix);
  const rows = [
    overviewRow(names, docs),
    ...(objectives.length > 0 ? [objectiveRow(objectives)] : []),
    trafficRow(names),
    errorsRow(names),
    latencyRow(),
    saturationRow(names),
    workersRow(names),
    scrapeRow(names),
  ];
  return `${JSON.stringify(assemble(rows, names), null, 2)}\n`;
}

/** Makes a dashboard of the schema that Grafana 12 writes; older ones read it too. */
function assemble(rows: readonly Row[], names: MetricNames): object {
  return {
    uid: 'clustered-service',
    title: 'Clustered service',
    description: 'Written by "npm run observability", which will write it again: copy it to change it.',
    tags: ['prometheus', 'node'],
    timezone: 'browser',
    editable: false,
    graphTooltip: 0,
    fiscalYearStartMonth: 0,
    schemaVersion: 42,
    time: { from: 'now-1h', to: 'now' },
    refresh: '30s',
    templating: {
      list: [
        { type: 'datasource', name: 'datasource', label: 'Prometheus', query: 'prometheus' },
        variable('job', `label_values(${names.workers}, job)`),
        variable('instance', `label_values(${names.workers}{job=~"$job"}, instance)`),
        variable(
          'endpoint',
          `label_values(${names.requestCount}{job=~"$job",instance=~"$instance"}, endpoint)`,
        ),
        latencyVariable(names),
      ],
    },
    annotations: {},
    panels: placed(rows),
  };
}

/**
 * Makes the variable that chooses the histogram for latency. Prometheus has the native
 * one if it was configured so.
 */
function latencyVariable({ requestLatency }: MetricNames): object {
  const classic = { selected: true, text: 'classic buckets', value: `${requestLatency}_bucket` };
  const native = { selected: false, text: 'native histogram', value: requestLatency };
  return {
    type: 'custom',
    name: 'latency',
    label: 'latency',
    query: [classic, native].map(({ text, value }) => `${text} : ${value}`).join(','),
    options: [classic, native],
    current: classic,
  };
}

/** Grafana's numbers for "when the time range changes" and "in the order of the alphabet". */
const ON_TIME_RANGE = 2;
const ALPHABETICAL = 1;

function variable(name: string, query: string): object {
  return {
    type: 'query',
    name,
    label: name,
    datasource: DATASOURCE,
    query: { query, refId: name },
    refresh: ON_TIME_RANGE,
    sort: ALPHABETICAL,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { selected: true, text: 'All', value: '$__all' },
  };
}

const GRID_WIDTH = 24;

/**
 * Lays panels out from left to right, each row under its heading. Links and saved views refer to panels by
 * id, so they are numbered.
 */
function placed(rows: readonly Row[]): object[] {
  const all: object[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    const heading = { x: 0, y, w: GRID_WIDTH, h: 1 };
    all.push({ id: all.length + 1, type: 'row', title, collapsed: false, gridPos: heading, panels: [] });
    y += 1;
    let [x, height] = [0, 0];
    for (const { size, ...panel } of panels) {
      if (x + size.w > GRID_WIDTH) [x, y, height] = [0, y + height, 0];
      all.push({ id: all.length + 1, ...panel, gridPos: { x, y, ...size } });
      x += size.w;
      height = Math.max(height, size.h);
    }
    y += height;
  }
  return all;
}
