/** The full names of the service's metrics under a METRICS_PREFIX. */
export function metricNames(prefix: string) {
  return {
    prefix,
    requestCount: `${prefix}request_count`,
    requestLatency: `${prefix}request_latency_seconds`,
    requestsInProgress: `${prefix}requests_in_progress`,
    workers: `${prefix}workers`,
    workerExits: `${prefix}worker_exits_total`,
    workersMissing: `${prefix}scrape_workers_missing`,
    ledgerErrors: `${prefix}ledger_errors_total`,
  };
}

export type MetricNames = ReturnType<typeof metricNames>;

/** The scrape job of prometheus.yml: tells our `up`, `process_*` and `nodejs_*` from those of other programs. */
export const JOB = 'flask_app';
