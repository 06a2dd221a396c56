import {
  type Dashboard,
  CustomVariableBuilder,
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { type MetricNames, metricNames } from './metric-names.js';
import { objectiveRow } from './objective-row.js';
import type { Objective } from '../../src/openapi/objectives.js';
import { DATASOURCE, type Row } from './panels.js';
import { saturationRow, scrapeRow, workersRow } from './process-rows.js';
import { errorsRow, latencyRow, overviewRow, trafficRow } from './request-rows.js';

/** The text of dashboard.json for these objectives and a METRICS_PREFIX. */
export function dashboardFile(objectives: readonly Objective[], prefix: string): string {
  const names = metricNames(prefix);
  const rows = [
    overviewRow(names),
    ...(objectives.length > 0 ? [objectiveRow(objectives)] : []),
    trafficRow(names),
    errorsRow(names),
    latencyRow(),
    saturationRow(names),
    workersRow(names),
    scrapeRow(names),
  ];
  return `${JSON.stringify(numbered(assemble(rows, names)), null, 2)}\n`;
}

function assemble(rows: readonly Row[], names: MetricNames): Dashboard {
  const builder = new DashboardBuilder('Clustered service')
    .uid('clustered-service')
    .description('Written by "npm run observability": change deploy/observability, not this dashboard.')
    .tags(['prometheus', 'node'])
    .readonly()
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .variables([
      new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
      variable('job', `label_values(${names.workers}, job)`),
      variable('instance', `label_values(${names.workers}{job=~"$job"}, instance)`),
      variable(
        'endpoint',
        `label_values(${names.requestCount}{job=~"$job",instance=~"$instance"}, endpoint)`,
      ),
      latencyVariable(names),
    ]);
  for (const { title, panels } of rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  return builder.build();
}

/**
 * Makes the variable that chooses the histogram for latency. Prometheus has the native
 * one if it was configured so.
 */
function latencyVariable({ requestLatency }: MetricNames): CustomVariableBuilder {
  const classic = { selected: true, text: 'classic buckets', value: `${requestLatency}_bucket` };
  const native = { selected: false, text: 'native histogram', value: requestLatency };
  return new CustomVariableBuilder('latency')
    .label('latency')
    .values([classic, native].map(({ text, value }) => `${text} : ${value}`).join(','))
    .options([classic, native])
    .current(classic);
}

function variable(name: string, query: string): QueryVariableBuilder {
  return (
    new QueryVariableBuilder(name)
      .label(name)
      .datasource(DATASOURCE)
      .query({ query, refId: name })
      .refresh(VariableRefresh.OnTimeRangeChanged)
      // oxlint-disable-next-line unicorn/no-array-sort -- it is no array
      .sort(VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current({ selected: true, text: 'All', value: '$__all' })
  );
}

/** Links and saved views refer to panels by id, so Grafana should not make them up. */
function numbered(dashboard: Dashboard): Dashboard {
  return {
    ...dashboard,
    panels: (dashboard.panels ?? []).map((panel, index) => ({ ...panel, id: index + 1 })),
  };
}
