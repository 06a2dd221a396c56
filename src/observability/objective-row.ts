import type { Objective } from '../openapi/operations/objectives.js';
import { figure, graph, type Row } from './panels.js';
import { BURN_WINDOWS, type BurnWindow, oneOf } from './recording-rules.js';

const SHOWN: readonly BurnWindow[] = BURN_WINDOWS.filter((window) =>
  ['5m', '1h', '6h', '3d'].includes(window),
);

/**
 * The objectives of the API description. They are about a whole job: the instance and endpoint chosen above
 * do not narrow them.
 */
export function objectiveRow(objectives: readonly Objective[]): Row {
  return {
    title: 'Objectives',
    panels: [
      burnPanel('availability', 'Availability burn rate', 'requests that failed (5xx)'),
      burnPanel('latency', 'Latency burn rate', 'requests slower than the objective'),
      figure({
        title: 'Error budget left',
        description: `Of each objective's own window. ${objectives.map(describe).join(' ')}`,
        unit: 'percentunit',
        size: { w: 8, h: 8 },
        base: 'red',
        thresholds: [
          ['yellow', 0.1],
          ['green', 0.5],
        ],
        queries: Object.fromEntries(budgetQueries(objectives)),
      }),
    ],
  };
}

function burnPanel(sli: string, title: string, bad: string) {
  return graph({
    title,
    description: `How fast ${bad} spend the error budget. At 1 it lasts exactly as long as the objective's window.`,
    unit: 'none',
    queries: Object.fromEntries(
      SHOWN.map((window) => [`{{slo}} ${window}`, `slo:burn_rate:${window}{job=~"$job",sli="${sli}"}`]),
    ),
  });
}

/** The share of the budget that its window has left: below 0, the objective was missed. */
function budgetQueries(objectives: readonly Objective[]): [string, string][] {
  const windows = [...new Set(objectives.map(({ windowDays }) => windowDays))];
  return windows.map((days) => {
    const slos = objectives.filter(({ windowDays }) => windowDays === days).map(({ name }) => name);
    const total = (series: string) => `sum_over_time(${series}{job=~"$job",slo=~${oneOf(slos)}}[${days}d])`;
    return [
      `{{slo}} {{sli}} (${days}d)`,
      `1 - ${total('slo:bad_events:rate5m')} / (${total('slo:events:rate5m')} > 0) / slo:error_budget:ratio`,
    ];
  });
}

function describe({ name, availability, latency, windowDays }: Objective): string {
  return (
    `${name}: ${percent(availability)} answered without a 5xx and ${percent(latency.ratio)} within ` +
    `${latency.threshold} s over ${windowDays} days.`
  );
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(12))} %`;
}
