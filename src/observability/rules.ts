import { stringify } from 'yaml';
import { type AlertRule, requestAlerts, saturationAlerts, targetAlerts, workerAlerts } from './alerts.js';
import { burnAlerts } from './burn-alerts.js';
import { JOB, metricNames } from './metric-names.js';
import type { Objective, Operation } from '../openapi/operations/objectives.js';
import { memoryRules, objectiveRules, requestRules } from './recording-rules.js';

const HEADER = '# Written by "npm run observability" from the API description, which will write it again.\n';

/**
 * The text of rules.yml for these objectives, the operations that are watched, and a METRICS_PREFIX. `docs`
 * is the folder of the runbook.
 */
export function rulesFile(
  objectives: readonly Objective[],
  watched: readonly Operation[],
  prefix: string,
  docs: string,
): string {
  const names = metricNames(prefix);
  const alerts = [
    ...targetAlerts(),
    ...burnAlerts(objectives),
    ...requestAlerts(names, watched),
    ...workerAlerts(names),
    ...saturationAlerts(names),
  ];
  const groups = [
    { name: 'requests', rules: requestRules(names) },
    { name: 'processes', rules: memoryRules(names, JOB) },
    { name: 'objectives', rules: objectiveRules(objectives, names) },
    { name: 'alerts', rules: alerts.map((alert) => toRule(alert, docs)) },
  ];
  return (
    HEADER +
    stringify(
      { groups: groups.filter(({ rules }) => rules.length > 0) },
      { lineWidth: 0, aliasDuplicateObjects: false },
    )
  );
}

function toRule({ alert, expr, for: wait, severity, summary, description }: AlertRule, docs: string) {
  const runbook = `${docs}/runbook.md#${alert.toLowerCase()}`;
  return {
    alert,
    expr,
    ...(wait === undefined ? {} : { for: wait }),
    labels: { severity },
    annotations: { summary, description, runbook_url: runbook },
  };
}
