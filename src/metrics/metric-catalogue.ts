import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * The service's own metrics: their names after METRICS_PREFIX, and their meaning. Dashboards, alerts and the
 * documentation take names from here.
 */
export const SERVICE_METRICS = {
  requestCount: {
    name: 'request_count',
    type: 'counter',
    labels: ['method', 'endpoint', 'http_status'],
    help: 'Answered HTTP requests by method, path template and the status that the client was sent (499: it left first).',
  },
  requestLatency: {
    name: 'request_latency_seconds',
    type: 'histogram',
    labels: ['method', 'endpoint'],
    help: 'Seconds from the arrival of a request until its whole answer was handed to the socket.',
  },
  requestsInProgress: {
    name: 'requests_in_progress',
    type: 'gauge',
    labels: [],
    help: 'Requests that have arrived and are not yet answered.',
  },
  workers: {
    name: 'workers',
    type: 'gauge',
    labels: ['state'],
    help: 'Worker processes by state; starting includes those that wait to be started again.',
  },
  workerExits: {
    name: 'worker_exits_total',
    type: 'counter',
    labels: ['reason'],
    help: 'Worker processes that ended, by reason.',
  },
  scrapeWorkersMissing: {
    name: 'scrape_workers_missing',
    type: 'gauge',
    labels: [],
    help: 'Workers that did not answer in time when they were last asked; their gauges are not in this scrape.',
  },
  ledgerErrors: {
    name: 'ledger_errors_total',
    type: 'counter',
    labels: [],
    help: 'Times that request counts could not be written to storage and stayed in memory, where a killed worker loses them.',
  },
  requestsShed: {
    name: 'requests_shed_total',
    type: 'counter',
    labels: [],
    help: 'Requests that were refused with 503 because the event loop was too far behind (MAX_EVENT_LOOP_DELAY_MS).',
  },
  logLinesLost: {
    name: 'log_lines_lost_total',
    type: 'counter',
    labels: [],
    help: 'Lines of the log that could not be written: its disk was full, or its reader was stuck or gone.',
  },
} as const;

/** Registers the gauge of requests in progress; `read` is called when the registry is collected. */
export function registerRequestsInProgress(registry: Registry, prefix: string, read: () => number): void {
  const { name, help } = SERVICE_METRICS.requestsInProgress;
  const gauge: Gauge = new Gauge({
    name: prefix + name,
    help,
    registers: [registry],
    collect: () => gauge.set(read()),
  });
}

/**
 * Registers the counter of ledger errors; `read` is called when the registry is
 * collected, and must never fall.
 */
export function registerLedgerErrors(registry: Registry, prefix: string, read: () => number): void {
  registerReading(registry, prefix, SERVICE_METRICS.ledgerErrors, read);
}

/**
 * Registers the counter of refused requests; `read` is called when the registry is
 * collected, and must never fall.
 */
export function registerRequestsShed(registry: Registry, prefix: string, read: () => number): void {
  registerReading(registry, prefix, SERVICE_METRICS.requestsShed, read);
}

/**
 * Registers the counter of lost lines of the log; `read` is called when the registry is
 * collected, and must never fall.
 */
export function registerLogLinesLost(registry: Registry, prefix: string, read: () => number): void {
  registerReading(registry, prefix, SERVICE_METRICS.logLinesLost, read);
}

function registerReading(
  registry: Registry,
  prefix: string,
  { name, help }: { readonly name: string; readonly help: string },
  read: () => number,
): void {
  const counter: Counter = new Counter({
    name: prefix + name,
    help,
    registers: [registry],
    collect() {
      counter.reset();
      counter.inc(read());
    },
  });
}

/** Returns the names of series that the gathering makes, and that no registry may have. */
export function ownSeries(prefix: string): string[] {
  const { requestCount, requestLatency, scrapeWorkersMissing } = SERVICE_METRICS;
  const latency = prefix + requestLatency.name;
  const histogram = ['', '_bucket', '_sum', '_count'].map((suffix) => latency + suffix);
  return [prefix + requestCount.name, prefix + scrapeWorkersMissing.name, ...histogram];
}

/** The line of the log when a process defines a metric in another way than those before it. */
export const REDEFINED =
  'A metric has another type, other buckets or other labels than before: its counts begin anew';
