import type { MetricNames } from './metric-names.js';
import { graph, type Row } from './panels.js';

const INSTANCES = 'job=~"$job",instance=~"$instance"';

/**
 * The grouping of process metrics. With METRICS_PER_WORKER=on each worker has the label, and a line of its
 * own; without it, each instance has a line.
 */
const BY_WORKER = 'by (instance, worker)';
const WORKER = '{{instance}} {{worker}}';

/** Makes the row about the load of the processes and their limits. */
export function saturationRow({ requestsInProgress, requestsShed }: MetricNames): Row {
  const byWorker = (aggregation: string, metric: string) =>
    `${aggregation} ${BY_WORKER} (${metric}{${INSTANCES}})`;
  const panels = [
    graph({
      title: 'CPU',
      description: 'Cores in use by all workers of an instance. A worker can use little more than one.',
      unit: 'short',
      queries: {
        '{{instance}}': `sum by (instance) (rate(process_cpu_seconds_total{${INSTANCES}}[$__rate_interval]))`,
      },
    }),
    graph({
      title: 'Resident memory',
      description: "By worker with METRICS_PER_WORKER=on, otherwise the sum of an instance's workers.",
      unit: 'bytes',
      queries: { [WORKER]: byWorker('sum', 'process_resident_memory_bytes') },
    }),
    graph({
      title: 'JavaScript heap in use',
      description: "By worker with METRICS_PER_WORKER=on, otherwise the sum of an instance's workers.",
      unit: 'bytes',
      queries: { [WORKER]: byWorker('sum', 'nodejs_heap_size_used_bytes') },
    }),
    graph({
      title: 'Event-loop lag',
      description:
        'How late the event loop is at 99 % of its turns, since the scrape before. Requests wait so long too.',
      unit: 's',
      queries: { [WORKER]: byWorker('max', 'nodejs_eventloop_lag_p99_seconds') },
    }),
    graph({
      title: 'Garbage collection',
      description: 'Share of one core that is spent collecting garbage, by kind.',
      unit: 'percentunit',
      queries: {
        '{{instance}} {{kind}}': `sum by (instance, kind) (rate(nodejs_gc_duration_seconds_sum{${INSTANCES}}[$__rate_interval]))`,
      },
    }),
    graph({
      title: 'Requests in progress',
      description: 'A line that only climbs is a handler that does not end.',
      unit: 'short',
      queries: { '{{instance}}': `sum by (instance) (${requestsInProgress}{${INSTANCES}})` },
    }),
    graph({
      title: 'Requests refused for overload',
      description: 'A second: workers were further behind than MAX_EVENT_LOOP_DELAY_MS. Clients got a 503.',
      unit: 'reqps',
      queries: {
        '{{instance}}': `sum by (instance) (rate(${requestsShed}{${INSTANCES}}[$__rate_interval]))`,
      },
    }),
  ];
  return { title: 'Saturation', panels };
}

/** The lives of the worker processes. */
export function workersRow({ workers, workerExits, requestCount }: MetricNames): Row {
  return {
    title: 'Workers',
    panels: [
      graph({
        title: 'Workers by state',
        description: 'Starting includes workers that wait to be started again after a crash.',
        unit: 'short',
        stacked: true,
        queries: { '{{state}}': `sum by (state) (${workers}{${INSTANCES}})` },
      }),
      graph({
        title: 'Exits by reason',
        description:
          'Workers that ended within 5 minutes. "drained" and "recycled" are what somebody asked for.',
        unit: 'short',
        queries: { '{{reason}}': `sum by (reason) (increase(${workerExits}{${INSTANCES}}[5m]))` },
      }),
      graph({
        title: 'Not ready',
        description:
          'Share of the questions to /readyz that got a 503: a check of the service fails, or it drains.',
        unit: 'percentunit',
        queries: {
          '{{instance}}':
            `sum by (instance) (rate(${requestCount}{${INSTANCES},endpoint="/readyz",http_status="503"}[$__rate_interval]))` +
            ` / sum by (instance) (rate(${requestCount}{${INSTANCES},endpoint="/readyz"}[$__rate_interval]))`,
        },
      }),
      graph({
        title: 'Open file descriptors',
        description: 'Connections, mostly.',
        unit: 'short',
        queries: { [WORKER]: `sum ${BY_WORKER} (process_open_fds{${INSTANCES}})` },
      }),
    ],
  };
}

/** Can the other figures be believed? */
export function scrapeRow({ scrapeWorkersMissing, ledgerErrors, logLinesLost }: MetricNames): Row {
  return {
    title: 'Scrape health',
    panels: [
      graph({
        title: 'Target up',
        description: '1: the scrape succeeded.',
        unit: 'short',
        queries: { '{{instance}}': `up{${INSTANCES}}` },
      }),
      graph({
        title: 'Scrape duration',
        description: 'As Prometheus measures it. A worker that does not answer costs up to half a second.',
        unit: 's',
        queries: { '{{instance}}': `scrape_duration_seconds{${INSTANCES}}` },
      }),
      graph({
        title: 'Incomplete scrapes',
        description:
          'Workers that did not answer in time: request counts are complete, their gauges are not there. Ledger errors: counts that only memory holds.',
        unit: 'short',
        queries: {
          '{{instance}} workers missing': `sum by (instance) (${scrapeWorkersMissing}{${INSTANCES}})`,
          '{{instance}} ledger errors': `sum by (instance) (increase(${ledgerErrors}{${INSTANCES}}[5m]))`,
        },
      }),
      graph({
        title: 'Lost lines of the log',
        description: 'Within 5 minutes: the disk of the log was full, or its reader was stuck or gone.',
        unit: 'short',
        queries: { '{{instance}}': `sum by (instance) (increase(${logLinesLost}{${INSTANCES}}[5m]))` },
      }),
    ],
  };
}
