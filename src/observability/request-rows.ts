import type { MetricNames } from './metric-names.js';
import { figure, graph, heat, type Row } from './panels.js';

const INSTANCES = 'job=~"$job",instance=~"$instance"';
const REQUESTS = `${INSTANCES},endpoint=~"$endpoint"`;

/** Every 5xx, every 4xx, and so on, as a share of nothing less than all answers. */
const FAILED = 'http_status=~"5.."';

/** The figures that say in one look whether the service is well. */
export function overviewRow({ requestCount, requestsInProgress, workers }: MetricNames, docs: string): Row {
  const all = `sum(rate(${requestCount}{${REQUESTS}}[$__rate_interval]))`;
  const failed = `sum(rate(${requestCount}{${REQUESTS},${FAILED}}[$__rate_interval]))`;
  return {
    title: 'Overview',
    panels: [
      figure({
        title: 'Requests',
        description: 'Answered requests per second.',
        unit: 'reqps',
        queries: { requests: all },
      }),
      figure({
        title: 'Failed',
        description: 'Share of requests that were answered with a 5xx.',
        unit: 'percentunit',
        thresholds: [
          ['yellow', 0.001],
          ['red', 0.01],
        ],
        queries: { failed: `${failed} / (${all} > 0) or vector(0)` },
      }),
      figure({
        title: 'Latency p99',
        description: '99 % of the requests took at most so long.',
        unit: 's',
        thresholds: [
          ['yellow', 0.25],
          ['red', 1],
        ],
        queries: { p99: quantile(0.99) },
      }),
      figure({
        title: 'In progress',
        description: 'Requests that have arrived and are not yet answered.',
        unit: 'short',
        queries: { requests: `sum(${requestsInProgress}{${INSTANCES}})` },
      }),
      figure({
        title: 'Workers ready',
        description: 'Worker processes that accept requests, of all selected instances.',
        unit: 'short',
        base: 'red',
        thresholds: [['green', 1]],
        queries: { ready: `sum(${workers}{${INSTANCES},state="ready"})` },
      }),
      figure({
        title: 'Alerts firing',
        description: `What each means and what to do about it is in ${docs}/runbook.md.`,
        unit: 'short',
        thresholds: [['red', 1]],
        queries: { alerts: 'count(ALERTS{alertstate="firing",job=~"$job"}) or vector(0)' },
      }),
    ],
  };
}

/** Makes the row about requests by operation and method. */
export function trafficRow({ requestCount }: MetricNames): Row {
  const by = (label: string) => `sum by (${label}) (rate(${requestCount}{${REQUESTS}}[$__rate_interval]))`;
  const graphOf = (label: string, title: string, description: string) =>
    graph({ title, description, unit: 'reqps', stacked: true, queries: { [`{{${label}}}`]: by(label) } });
  return {
    title: 'Traffic',
    panels: [
      graphOf(
        'endpoint',
        'Requests by endpoint',
        'Path templates of the API description; "unmatched" is every other path, "malformed" what is not HTTP.',
      ),
      graphOf(
        'http_status',
        'Requests by status',
        'As the client was sent it. 499: the client left before the answer.',
      ),
      graphOf('instance', 'Requests by instance', 'Are they shared out evenly?'),
    ],
  };
}

/** Makes the row about errors, by their side: client or service. */
export function errorsRow({ requestCount }: MetricNames): Row {
  const rate = (by: string, matcher = '') =>
    `sum ${by}(rate(${requestCount}{${REQUESTS}${matcher}}[$__rate_interval]))`;
  const byEndpoint = rate('by (endpoint) ');
  const failedByEndpoint = rate('by (endpoint) ', `,${FAILED}`);
  return {
    title: 'Errors',
    panels: [
      graph({
        title: 'Failed requests by endpoint',
        description: 'Share of the requests that were answered with a 5xx.',
        unit: 'percentunit',
        queries: { '{{endpoint}}': `(${failedByEndpoint} or 0 * ${byEndpoint}) / (${byEndpoint} > 0)` },
      }),
      graph({
        title: 'Errors by class',
        description:
          '5xx: the service failed. 4xx: the client was wrong. 499: the client left before the answer.',
        unit: 'reqps',
        queries: {
          '5xx': rate('', `,${FAILED}`),
          '4xx': rate('', ',http_status=~"4..",http_status!="499"'),
          // The description foresees all but this one, and those of what it does not describe.
          '499': `${rate('', ',http_status="499"')} or vector(0)`,
        },
      }),
      graph({
        title: 'Refused before any route',
        description: 'Paths that the API description does not have, and what the HTTP parser refused.',
        unit: 'reqps',
        queries: {
          unmatched: `sum(rate(${requestCount}{${INSTANCES},endpoint="unmatched"}[$__rate_interval])) or vector(0)`,
          malformed: `sum(rate(${requestCount}{${INSTANCES},endpoint="malformed"}[$__rate_interval])) or vector(0)`,
        },
      }),
    ],
  };
}

/**
 * Makes the row about latency, from the arrival of a request until its whole answer was handed to the socket.
 */
export function latencyRow(): Row {
  return {
    title: 'Latency',
    panels: [
      heat({
        title: 'Latency distribution',
        description: 'The darker a cell, the more requests took about so long.',
        unit: 's',
        queries: {
          '{{le}}': `sum by (le) (increase($latency{${REQUESTS}}[$__rate_interval]))`,
        },
      }),
      graph({
        title: 'Latency percentiles',
        description:
          'Of all selected endpoints together, interpolated within buckets. A dot is a request that has a trace.',
        unit: 's',
        exemplars: true,
        queries: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) },
      }),
      graph({
        title: 'p95 by endpoint',
        description: '95 % of the requests to an endpoint took at most so long.',
        unit: 's',
        queries: { '{{endpoint}}': quantile(0.95, 'endpoint') },
      }),
    ],
  };
}

/**
 * `$latency` has classic buckets or native ones, which have no `le` and lose nothing where one sums by it.
 */
function quantile(share: number, by?: string): string {
  const labels = by === undefined ? 'le' : `${by}, le`;
  return `histogram_quantile(${share}, sum by (${labels}) (rate($latency{${REQUESTS}}[$__rate_interval])))`;
}
