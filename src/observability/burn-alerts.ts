import type { Objective } from '../openapi/operations/objectives.js';
import type { AlertRule, Severity } from './alerts.js';
import { type BurnWindow, oneOf } from './recording-rules.js';

interface Burn {
  readonly long: BurnWindow;
  readonly short: BurnWindow;
  /** The share of the whole window's budget that is spent when the long window is full of this. */
  readonly budgetShare: number;
}

/**
 * Table 5-8 of the Google SRE workbook, chapter "Alerting on SLOs": 14.4x, 6x, 3x and 1x of a 30-day budget.
 */
const BURNS: Readonly<Record<Severity, readonly [Burn, Burn]>> = {
  page: [
    { long: '1h', short: '5m', budgetShare: 0.02 },
    { long: '6h', short: '30m', budgetShare: 0.05 },
  ],
  ticket: [
    { long: '1d', short: '2h', budgetShare: 0.1 },
    { long: '3d', short: '6h', budgetShare: 0.1 },
  ],
};

const HOURS: Readonly<Record<BurnWindow, number>> = {
  '5m': 1 / 12,
  '30m': 0.5,
  '1h': 1,
  '2h': 2,
  '6h': 6,
  '1d': 24,
  '3d': 72,
};

/**
 * Fewer bad requests than this in the long window alert nobody: one failure in a quiet night is a 100 % error
 * ratio.
 */
const LEAST_BAD_EVENTS = 10;

const SLIS = {
  availability: { alert: 'AvailabilityBudgetBurn', bad: 'fail (5xx)' },
  latency: { alert: 'LatencyBudgetBurn', bad: 'take longer than the objective allows' },
};

/**
 * Multi-window, multi-burn-rate alerts. Objectives that share a window share the rules; `slo` and `sli` tell
 * them apart.
 */
export function burnAlerts(objectives: readonly Objective[]): AlertRule[] {
  const windows = [...new Set(objectives.map(({ windowDays }) => windowDays))];
  return windows.flatMap((days) => {
    const names = objectives.filter(({ windowDays }) => windowDays === days).map(({ name }) => name);
    return Object.entries(SLIS).flatMap(([sli, { alert, bad }]) => [
      burnAlert('page', days, `slo=~${oneOf(names)},sli="${sli}"`, alert, bad),
      burnAlert('ticket', days, `slo=~${oneOf(names)},sli="${sli}"`, alert, bad),
    ]);
  });
}

/** The short window ends the alert soon after the burning has ended. */
function burnAlert(
  severity: Severity,
  days: number,
  matchers: string,
  alert: string,
  bad: string,
): AlertRule {
  const conditions = BURNS[severity].map(({ long, short, budgetShare }) => {
    const factor = Number(((budgetShare * days * 24) / HOURS[long]).toPrecision(6));
    return [
      `(slo:burn_rate:${long}{${matchers}} > ${factor}`,
      `and slo:burn_rate:${short}{${matchers}} > ${factor}`,
      // Steps as long as the recorded rate's own window count every event once.
      `and sum_over_time(slo:bad_events:rate5m{${matchers}}[${long}:5m]) * 300 >= ${LEAST_BAD_EVENTS})`,
    ].join('\n ');
  });
  return {
    alert,
    expr: conditions.join('\nor '),
    severity,
    summary: `{{ $labels.job }}: objective {{ $labels.slo }} burns its {{ $labels.sli }} budget {{ $value | humanize }} times too fast`,
    description:
      `So many requests ${bad} that the error budget of ${days} days is spent ` +
      `{{ $value | humanize }} times as fast as it lasts.`,
  };
}
