import type { Objective, Operation } from '../openapi/operations/objectives.js';
import { methodLabel } from '../metrics/request-metrics.js';
import type { MetricNames } from './metric-names.js';

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 };

/** Traffic, error ratio and latency percentiles of each job, and of each of its endpoints, over 5 minutes. */
export function requestRules(names: MetricNames): RecordingRule[] {
  return [['job'], ['job', 'endpoint']].flatMap((by) => requestRulesBy(by, names));
}

function requestRulesBy(
  by: readonly string[],
  { prefix, requestCount, requestLatency }: MetricNames,
): RecordingRule[] {
  const level = by.join('_');
  const sum = `sum by (${by.join(', ')})`;
  const requests = `${level}:${prefix}requests:rate5m`;
  const quantiles = Object.entries(QUANTILES).map(([name, quantile]) => {
    // Prometheus 2.42 takes either native buckets or classic ones. Those have no `le`, and lose nothing where
    // one sums by it.
    const of = (series: string) =>
      `histogram_quantile(${quantile}, sum by (${[...by, 'le'].join(', ')}) (rate(${series}[5m])))`;
    return {
      record: `${level}:${prefix}request_latency_seconds:${name}_rate5m`,
      // The comparison is false for NaN, which is what a quantile of no requests is.
      expr: `(${of(`${requestLatency}_bucket`)} or ${of(requestLatency)}) >= 0`,
    };
  });
  return [
    { record: requests, expr: `${sum} (rate(${requestCount}[5m]))` },
    {
      record: `${level}:${prefix}request_errors:ratio_rate5m`,
      expr: `${sum} (rate(${requestCount}{http_status=~"5.."}[5m])) / (${requests} > 0) or 0 * ${requests}`,
    },
    ...quantiles,
  ];
}

/**
 * Mean resident memory of an instance's workers; the same whether or not METRICS_PER_WORKER gives each its
 * own series.
 */
export function memoryRules({ workers }: MetricNames, job: string): RecordingRule[] {
  const by = 'by (job, instance)';
  return [
    {
      record: 'job_instance:process_resident_memory_bytes:per_worker',
      expr:
        `sum ${by} (process_resident_memory_bytes{job="${job}"})` +
        ` / (sum ${by} (${workers}{state=~"ready|draining"}) > 0)`,
    },
  ];
}

/** The windows in which budget burn is measured; the first is the one in which events are counted. */
export const BURN_WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
export type BurnWindow = (typeof BURN_WINDOWS)[number];

/**
 * Events and bad events of each objective, and how fast they burn its error budget: 1 is a budget that lasts
 * exactly the objective's window. No traffic burns nothing. Long windows are sums over the recorded 5-minute
 * rates: they cost a few series however many the service has, and weigh each minute by its traffic.
 */
export function objectiveRules(objectives: readonly Objective[], names: MetricNames): RecordingRule[] {
  return [
    ...objectives.flatMap((objective) => [
      ...availabilityRules(objective, names),
      ...latencyRules(objective, names),
    ]),
    ...(objectives.length > 0 ? BURN_WINDOWS.map(burnRule) : []),
  ];
}

/** Events are requests that got an answer: a client that left before (499) was neither served nor failed. */
function availabilityRules({ name, availability, operations }: Objective, { requestCount }: MetricNames) {
  return sliRules(name, 'availability', 1 - availability, {
    events: sumOfRates(requestCount, operations, 'http_status!="499"'),
    bad: sumOfRates(requestCount, operations, 'http_status=~"5.."'),
  });
}

/** Events are all requests, also those whose client gave up: waiting too long is why it does. */
function latencyRules({ name, latency, operations }: Objective, { requestLatency }: MetricNames) {
  const { threshold, ratio } = latency;
  // Prometheus 3 writes le="1" as le="1.0".
  const le = Number.isInteger(threshold) ? `le=~"${threshold}(\\\\.0)?"` : `le="${threshold}"`;
  const events = `slo:events:rate5m{slo=${quoted(name)},sli="latency"}`;
  // If Prometheus has only native buckets (from 2.42 on it can), these tell how many requests were fast
  // enough, within 9 % of the threshold.
  const native = sumOfRates(requestLatency, operations);
  const fast = `(${sumOfRates(`${requestLatency}_bucket`, operations, le)} or histogram_fraction(0, ${threshold}, ${native}) * histogram_count(${native}))`;
  return sliRules(name, 'latency', 1 - ratio, {
    events: `${sumOfRates(`${requestLatency}_count`, operations)} or histogram_count(${native})`,
    bad: `clamp_min(${events} - on (job) ${fast}, 0)`,
  });
}

function sliRules(
  slo: string,
  sli: string,
  budget: number,
  { events, bad }: { events: string; bad: string },
) {
  const labels = { slo, sli };
  const own = `slo:events:rate5m{slo=${quoted(slo)},sli="${sli}"}`;
  return [
    { record: 'slo:events:rate5m', labels, expr: events },
    { record: 'slo:bad_events:rate5m', labels, expr: bad },
    { record: 'slo:error_budget:ratio', labels, expr: `${Number(budget.toPrecision(12))} + 0 * ${own}` },
  ];
}

function burnRule(window: BurnWindow): RecordingRule {
  const over = (series: string) => (window === '5m' ? series : `sum_over_time(${series}[${window}])`);
  const events = over('slo:events:rate5m');
  return {
    record: `slo:burn_rate:${window}`,
    expr: `${over('slo:bad_events:rate5m')} / (${events} > 0) / slo:error_budget:ratio or 0 * ${events}`,
  };
}

/**
 * Writes a sum of rates with one selector per method, because one selector cannot match pairs of labels.
 * Operations with GET also answer HEAD.
 */
function sumOfRates(metric: string, operations: readonly Operation[], matcher?: string): string {
  const methods = new Set(operations.map(({ method }) => methodLabel(method)));
  const rates = [...methods].map((method) => {
    const endpoints = operations
      .filter((operation) => methodLabel(operation.method) === method)
      .map(({ endpoint }) => endpoint);
    const matchers = [
      method === 'GET' ? 'method=~"GET|HEAD"' : `method="${method}"`,
      `endpoint=~${oneOf(endpoints)}`,
    ];
    return `rate(${metric}{${[...matchers, ...(matcher === undefined ? [] : [matcher])].join(',')}}[5m])`;
  });
  return `sum by (job) (${rates.join(' or ')})`;
}

/** Writes a regular expression (RE2) that matches exactly these values of a label, as a PromQL string. */
export function oneOf(values: readonly string[]): string {
  const patterns = [...new Set(values)].map((value) =>
    value.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`),
  );
  return quoted(patterns.join('|'));
}

function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}
