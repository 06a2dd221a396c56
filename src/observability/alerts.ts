import { JOB, type MetricNames } from './metric-names.js';
import { oneOf } from './recording-rules.js';
import type { Operation } from '../openapi/operations/objectives.js';

/** `page`: somebody has to act now. `ticket`: somebody has to act this week. */
export type Severity = 'page' | 'ticket';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly severity: Severity;
  readonly summary: string;
  readonly description: string;
}

/** The service cannot be seen. */
export function targetAlerts(): AlertRule[] {
  return [
    {
      alert: 'TargetDown',
      expr: `up{job="${JOB}"} == 0`,
      for: '2m',
      severity: 'page',
      summary: '{{ $labels.instance }} cannot be scraped',
      description:
        'Every scrape of {{ $labels.instance }} has failed for 2 minutes: it is down, or /metrics is out of reach.',
    },
    {
      alert: 'TargetMissing',
      expr: `absent(up{job="${JOB}"})`,
      for: '5m',
      severity: 'page',
      summary: `Prometheus has no target of job ${JOB}`,
      description: 'Nothing has been scraped for 5 minutes: no alert about the service itself can fire.',
    },
  ];
}

/**
 * Requests of one endpoint fail. The objectives' alerts see the whole; this sees an endpoint that is a small
 * part of it, and one without objective.
 */
export function requestAlerts(
  { prefix, requestCount }: MetricNames,
  watched: readonly Operation[],
): AlertRule[] {
  if (watched.length === 0) return [];
  const endpoints = oneOf(watched.map(({ endpoint }) => endpoint));
  const failed = `${requestCount}{endpoint=~${endpoints},http_status=~"5.."}`;
  return [
    {
      alert: 'EndpointFailing',
      expr:
        `job_endpoint:${prefix}request_errors:ratio_rate5m > 0.05\n` +
        `and on (job, endpoint) sum by (job, endpoint) (increase(${failed}[10m])) >= 10`,
      for: '10m',
      severity: 'ticket',
      summary: '{{ $labels.job }}: {{ $value | humanizePercentage }} of {{ $labels.endpoint }} fails',
      description:
        'For 10 minutes more than 5 % of the requests to {{ $labels.endpoint }} were answered with a 5xx.',
    },
  ];
}

/** Processes are not what they should be. */
export function workerAlerts({
  workers,
  workerExits,
  scrapeWorkersMissing,
  ledgerErrors,
  logLinesLost,
  requestCount,
}: MetricNames): AlertRule[] {
  const exits = (reasons: string) =>
    `sum by (job, instance) (increase(${workerExits}{reason=~"${reasons}"}[15m]))`;
  return [
    {
      alert: 'NoWorkerReady',
      expr: `${workers}{state="ready"} == 0`,
      for: '1m',
      severity: 'page',
      summary: '{{ $labels.instance }} has no worker that serves',
      description:
        'The primary of {{ $labels.instance }} answers scrapes, but for 1 minute none of its workers was ready.',
    },
    {
      alert: 'ReadyCheckFailing',
      expr:
        `sum by (job, instance) (rate(${requestCount}{endpoint="/readyz",http_status="503"}[5m]))\n` +
        `/ sum by (job, instance) (rate(${requestCount}{endpoint="/readyz"}[5m])) > 0.5`,
      for: '5m',
      severity: 'page',
      summary: '{{ $labels.instance }} says that it is not ready',
      description:
        'For 5 minutes {{ $value | humanizePercentage }} of the questions to /readyz of {{ $labels.instance }} were answered with a 503: it gets no requests from who asks.',
    },
    {
      alert: 'WorkersMissing',
      expr: `avg_over_time(${workers}{state="starting"}[10m]) >= 0.5`,
      for: '5m',
      severity: 'ticket',
      summary: '{{ $labels.instance }} is short of workers',
      description:
        'Over 10 minutes {{ printf "%.1f" $value }} workers of {{ $labels.instance }}, on average, were starting or waiting to be started again.',
    },
    {
      alert: 'WorkersCrashLooping',
      expr: `${exits('crashed|killed|boot_failed')} > 4`,
      severity: 'ticket',
      summary: 'Workers of {{ $labels.instance }} die again and again',
      description:
        'About {{ printf "%.0f" $value }} workers of {{ $labels.instance }} died within 15 minutes.',
    },
    {
      alert: 'WorkerHung',
      expr: `${exits('hung')} > 0`,
      severity: 'ticket',
      summary: 'A worker of {{ $labels.instance }} hung and was killed',
      description:
        'Within 15 minutes a worker of {{ $labels.instance }} was silent for WORKER_TIMEOUT_MS. Requests in flight on it were lost.',
    },
    {
      alert: 'WorkersRecycledTooOften',
      expr:
        `sum by (job, instance) (increase(${workerExits}{reason="recycled"}[1h]))\n` +
        `/ sum by (job, instance) (avg_over_time(${workers}{state="ready"}[1h])) > 2`,
      for: '10m',
      severity: 'ticket',
      summary: 'Workers of {{ $labels.instance }} are recycled every half an hour, or sooner',
      description:
        'Each worker of {{ $labels.instance }} was replaced {{ printf "%.1f" $value }} times within an hour, because it had reached a WORKER_MAX_… limit.',
    },
    {
      alert: 'WorkersNotAnswering',
      expr: `${scrapeWorkersMissing} > 0`,
      for: '2m',
      severity: 'ticket',
      summary: '{{ $value }} workers of {{ $labels.instance }} do not answer scrapes',
      description:
        'For 2 minutes workers did not answer the primary in time. Request counts are complete; the gauges of these workers are not in the scrape.',
    },
    {
      alert: 'LedgerErrors',
      expr: `increase(${ledgerErrors}[15m]) > 0`,
      severity: 'ticket',
      summary: '{{ $labels.instance }} cannot write its request counts',
      description:
        'Counts that are only in memory are lost when a worker is killed. The service goes on serving.',
    },
    {
      alert: 'LogLinesLost',
      expr: `increase(${logLinesLost}[15m]) > 0`,
      severity: 'ticket',
      summary: '{{ $labels.instance }} cannot write its log',
      description:
        'About {{ printf "%.0f" $value }} lines of the log of {{ $labels.instance }} were lost within 15 minutes. The service goes on serving.',
    },
  ];
}

const MEMORY = 'job_instance:process_resident_memory_bytes:per_worker';

/** Processes are about to be in trouble. */
export function saturationAlerts({ requestCount, requestsShed }: MetricNames): AlertRule[] {
  // The lowest of an hour, so that garbage which is yet to be collected does not count.
  const lowest = `min_over_time(${MEMORY}[1h])`;
  const before = `min_over_time(${MEMORY}[1h] offset 6h)`;
  return [
    {
      alert: 'RequestsShed',
      expr:
        `sum by (job, instance) (rate(${requestsShed}[5m]))\n` +
        `/ sum by (job, instance) (rate(${requestCount}[5m])) > 0.01`,
      for: '5m',
      severity: 'ticket',
      summary: '{{ $labels.instance }} refuses {{ $value | humanizePercentage }} of its requests',
      description:
        'For 5 minutes {{ $labels.instance }} has answered more than 1 % with a 503, because its workers are further behind than MAX_EVENT_LOOP_DELAY_MS.',
    },
    {
      alert: 'EventLoopLag',
      expr: `max by (job, instance, worker) (nodejs_eventloop_lag_p99_seconds{job="${JOB}"}) > 0.1`,
      for: '10m',
      severity: 'ticket',
      summary:
        'The event loop of {{ $labels.instance }} {{ $labels.worker }} lags by {{ $value | humanizeDuration }}',
      description:
        "For 10 minutes 1 % of the event loop's turns came more than 100 ms late, and every request with them.",
    },
    {
      alert: 'MemoryGrowth',
      expr: [
        `${lowest} > 1.5 * ${before}`,
        `and ${lowest} - ${before} > ${128 * 1024 ** 2}`,
        `and deriv(${MEMORY}[1h]) > 0`,
      ].join('\n'),
      for: '30m',
      severity: 'ticket',
      summary: 'Workers of {{ $labels.instance }} grow: {{ $value | humanize1024 }}B each',
      description:
        'A worker holds at least 50 % and 128 MiB more memory than 6 hours ago, also at its lowest, and is still growing.',
    },
  ];
}
