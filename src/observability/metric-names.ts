import { SERVICE_METRICS } from '../metrics/metric-catalogue.js';

type Metric = keyof typeof SERVICE_METRICS;

/** The full names of the service's metrics under a METRICS_PREFIX, and the prefix itself. */
export type MetricNames = Readonly<Record<Metric | 'prefix', string>>;

export function metricNames(prefix: string): MetricNames {
  const names = Object.entries(SERVICE_METRICS).map(([metric, { name }]) => [metric, prefix + name]);
  const byMetric: Record<Metric, string> = Object.fromEntries(names);
  return { prefix, ...byMetric };
}

/**
 * The scrape job of prometheus.yml: tells our `up`, `process_*` and `nodejs_*` from those of other programs.
 */
export const JOB = 'flask_app';
