import type { Counts } from '../aggregation/aggregation.js';
import type { CountedMetric } from '../aggregation/family-totals.js';
import { BEGUN, type CountedRow } from '../aggregation/request-totals.js';
import { isObject, parseMetric, parseRow } from '../snapshot/snapshot-parser.js';

/**
 * Checks counts that were kept as JSON. A malformed metric or row is left out, so
 * that it can't spoil the rest.
 * @param sameBuckets whether the rows have the buckets of this process; otherwise only their
 *   numbers of requests can be used
 */
export function parseCounts(input: unknown, sameBuckets: boolean): Counts {
  if (!isObject(input) || !Array.isArray(input['rows']) || !Array.isArray(input['metrics']))
    throw new Error('no counts');
  const rows = input['rows'].flatMap(parseCountedRow);
  return {
    rows: sameBuckets ? rows : rows.map(withoutBuckets),
    metrics: input['metrics'].flatMap(parseCountedMetric),
  };
}

function withoutBuckets({ labels, counts, withOtherBuckets, detail }: CountedRow): CountedRow {
  const all = counts.reduce((sum, count) => sum + count, withOtherBuckets);
  const start = detail && { detail: { start: detail.start, native: [], exemplars: [] } };
  return { labels, counts: [], seconds: [], withOtherBuckets: all, ...start, anew: BEGUN };
}

function parseCountedRow(input: unknown): CountedRow[] {
  if (!isObject(input)) return [];
  const { labels, counts, seconds, withOtherBuckets = 0, detail, anew } = input;
  if (!isCount(withOtherBuckets) || !Array.isArray(counts) || !areParts(seconds)) return [];
  const [row] = parseRow({ labels, cells: [...counts, 0], ...(detail !== undefined && { detail }) });
  if (!row) return [];
  const known = { ...(row.detail && { detail: row.detail }), ...(isCount(anew) && { anew }) };
  return [{ labels: row.labels, counts: [...row.cells].slice(0, -1), seconds, withOtherBuckets, ...known }];
}

function parseCountedMetric(input: unknown): CountedMetric[] {
  if (!isObject(input) || !Array.isArray(input['values'])) return [];
  const given: unknown[] = input['values'];
  // Names and labels are checked as those of a metric that counts nothing; a histogram of zeros is whole.
  const values = given.map((value) =>
    isObject(value) && areParts(value['sum']) ? { ...value, value: 0 } : {},
  );
  const [metric] = parseMetric({ ...input, values });
  if (!metric || metric.values.length < given.length) return [];
  const sums = given.map((value) => (isObject(value) && areParts(value['sum']) ? value['sum'] : []));
  return [
    {
      ...metric,
      values: metric.values.map(({ value: zero, ...series }, i) => ({ ...series, sum: sums[i] ?? [zero] })),
    },
  ];
}

function areParts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((part) => Number.isFinite(part));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
