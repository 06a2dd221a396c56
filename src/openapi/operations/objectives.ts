import type { Place } from '../description.js';
import type { Operation as Declared } from './operation.js';

/** A service-level objective, and the operations of the API description that it covers. */
export interface Objective {
  /** `default`, or the id of the one operation that states its own. */
  readonly name: string;
  /** Share of requests that the server must not fail (5xx), e.g. 0.999. */
  readonly availability: number;
  /** `ratio` of the requests take at most `threshold` seconds. */
  readonly latency: { readonly threshold: number; readonly ratio: number };
  readonly windowDays: number;
  readonly operations: readonly Operation[];
}

export interface Operation {
  readonly method: string;
  /** The path template, which is the value of the label `endpoint`. */
  readonly endpoint: string;
}

/**
 * The description's objectives are wrong: one line per fault, with the place, what
 * was expected and what was got.
 */
export class ObjectivesError extends Error {
  override readonly name = 'ObjectivesError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

type Report = (place: string, expected: string, got: unknown) => undefined;
type Goals = Omit<Objective, 'name' | 'operations'>;
type Draft = { [K in 'availability' | 'threshold' | 'ratio' | 'windowDays']?: number | undefined };

const KEYS = ['availability', 'latency', 'window'];
const LATENCY_KEYS = ['threshold', 'ratio'];

/**
 * Reads `x-slo` of an OpenAPI description: at the top for the whole API, at an operation for the values that
 * differ there, `false` at an operation without objective. Without a default, an operation must state all
 * values to have an objective.
 * @param buckets the latency histogram's bounds in seconds: a latency threshold must be one of them, or
 *   nobody can count the requests that kept it
 * @throws ObjectivesError that names every fault at once
 */
export function readObjectives(operations: readonly Declared[], buckets: readonly number[]): Objective[] {
  const problems: string[] = [];
  const report: Report = (place, expected, got) => {
    problems.push(`${place}: expected ${expected}, got ${JSON.stringify(got) ?? 'nothing'}`);
    return undefined;
  };
  const [slo] = operations.map(({ place }) => sloOf(place.description.root));
  const shared = slo === undefined ? {} : readDraft(slo, 'x-slo', buckets, report);
  const objectives = groupOperations(operations, shared, buckets, report);
  if (problems.length > 0) throw new ObjectivesError(problems);
  return objectives;
}

/**
 * Returns the operations that are to be watched, with an objective or not: all that do not say `x-slo:
 * false`.
 */
export function watchedOperations(operations: readonly Declared[]): Operation[] {
  return operations.filter(({ place }) => sloOf(place) !== false).map(counted);
}

function sloOf(place: Place): unknown {
  return place.at('x-slo').value;
}

function counted({ method, path }: Declared): Operation {
  return { method, endpoint: path };
}

function groupOperations(
  operations: readonly Declared[],
  shared: Draft,
  buckets: readonly number[],
  report: Report,
): Objective[] {
  const covered: Operation[] = [];
  const own: Objective[] = [];
  for (const operation of operations) {
    const { id, method, path } = operation;
    const slo = sloOf(operation.place);
    if (slo === false) continue;
    if (slo === undefined) {
      covered.push(counted(operation));
      continue;
    }
    const place = `paths.${path}.${method.toLowerCase()}`;
    const draft = { ...shared, ...readDraft(slo, `${place}.x-slo`, buckets, report) };
    const goals = complete(draft, `${place}.x-slo`, report);
    if (id === 'default') report(`${place}.operationId`, 'a name that no other objective has', id);
    if (goals) own.push({ name: id, ...goals, operations: [counted(operation)] });
  }
  if (Object.keys(shared).length === 0 || covered.length === 0) return own;
  const goals = complete(shared, 'x-slo', report);
  return goals ? [{ name: 'default', ...goals, operations: covered }, ...own] : own;
}

function readDraft(slo: unknown, place: string, buckets: readonly number[], report: Report): Draft {
  if (!isObject(slo)) return report(place, `an object with ${KEYS.join(', ')}`, slo) ?? {};
  refuseUnknown(slo, KEYS, place, report);
  const latency = slo['latency'] ?? {};
  if (isObject(latency)) refuseUnknown(latency, LATENCY_KEYS, `${place}.latency`, report);
  else report(`${place}.latency`, `an object with ${LATENCY_KEYS.join(', ')}`, latency);
  const { threshold, ratio } = isObject(latency) ? latency : {};
  const bound = `a bound of the latency histogram in seconds (${buckets.join(', ')})`;
  const draft: Draft = {
    availability: read(slo['availability'], `${place}.availability`, SHARE, toShare),
    threshold: read(threshold, `${place}.latency.threshold`, bound, (value) =>
      buckets.find((b) => b === value),
    ),
    ratio: read(ratio, `${place}.latency.ratio`, SHARE, toShare),
    windowDays: read(slo['window'], `${place}.window`, DAYS, toDays),
  };
  return Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined));

  // A bad value becomes NaN: `undefined` would be reported a second time, as missing.
  function read(value: unknown, at: string, expected: string, parse: (value: unknown) => number | undefined) {
    return value === undefined ? undefined : (parse(value) ?? report(at, expected, value) ?? NaN);
  }
}

const SHARE = 'a number above 0 and below 1, such as 0.999';
/** Below 7 days the slowest alert's window of 3 days would be half of the objective's. */
const DAYS = 'whole days or weeks from 7d to 90d, such as 30d';

function toShare(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && value < 1 ? value : undefined;
}

function toDays(value: unknown): number | undefined {
  const [, amount, unit] = /^(\d{1,3})([dw])$/.exec(String(value)) ?? [];
  const days = Number(amount) * (unit === 'w' ? 7 : 1);
  return days >= 7 && days <= 90 ? days : undefined;
}

function refuseUnknown(value: object, known: readonly string[], place: string, report: Report): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) report(`${place}.${key}`, `one of ${known.join(', ')}`, key);
  }
}

function complete(draft: Draft, place: string, report: Report): Goals | undefined {
  const { availability, threshold, ratio, windowDays } = draft;
  if (availability === undefined) return report(`${place}.availability`, SHARE, undefined);
  if (threshold === undefined) return report(`${place}.latency.threshold`, 'a number of seconds', undefined);
  if (ratio === undefined) return report(`${place}.latency.ratio`, SHARE, undefined);
  if (windowDays === undefined) return report(`${place}.window`, DAYS, undefined);
  return { availability, latency: { threshold, ratio }, windowDays };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
