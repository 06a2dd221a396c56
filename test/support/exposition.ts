export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string | undefined;
  readonly samples: readonly Sample[];
}

const nameRule = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const types = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped']);
type Draft = { name: string; type: string; help: string | undefined; samples: Sample[] };

/**
 * Reads the Prometheus text format 0.0.4 and throws on what Prometheus or promtool refuses: a broken line, HELP or TYPE
 * twice or after the samples, families that are not in one piece, a series twice, and for histograms buckets that fall or
 * do not end with +Inf = _count. NaN is refused too: none of our values may be one.
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no line feed');
  const families = new Map<string, Draft>();
  const series = new Set<string>();
  let current: Draft | undefined;
  text.split('\n').forEach((line, index) => {
    try {
      if (line === '') return;
      if (line.startsWith('#')) {
        current = readComment(line, families, current);
        return;
      }
      const sample = readSample(line);
      current = familyOf(sample.name, families, current);
      const key = seriesKey(sample);
      if (series.has(key)) throw new Error(`the series ${key} twice`);
      series.add(key);
      current.samples.push(sample);
    } catch (cause) {
      throw new Error(`line ${index + 1}: ${String(cause)}: ${line}`, { cause });
    }
  });
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

/** `name{a="1",b="2"}` with the labels sorted: the identity of a series. */
export function seriesKey({ name, labels }: Pick<Sample, 'name' | 'labels'>): string {
  const pairs = Object.keys(labels)
    .toSorted()
    .map((label) => `${label}=${JSON.stringify(labels[label])}`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}

/** The sum of a family's samples of that exact name whose labels include `labels`; 0 when there is none. */
export function total(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
  const wanted = Object.entries(labels);
  return (family?.samples ?? [])
    .filter((sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, sample) => sum + sample.value, 0);
}

/** The counters, buckets, counts and sums of `before` that are lower in `after` or gone from it, one line each. */
export function fallen(
  before: ReadonlyMap<string, Family>,
  after: ReadonlyMap<string, Family>,
): readonly string[] {
  const monotonic = (families: ReadonlyMap<string, Family>): Map<string, number> =>
    new Map(
      [...families.values()]
        .filter(({ type }) => type === 'counter' || type === 'histogram')
        .flatMap(({ samples }) => samples.map((sample) => [seriesKey(sample), sample.value] as const)),
    );
  const now = monotonic(after);
  return [...monotonic(before)].flatMap(([key, value]) => {
    const next = now.get(key);
    if (next === undefined) return [`${key} vanished from ${value}`];
    return next < value ? [`${key} fell from ${value} to ${next}`] : [];
  });
}

function readComment(
  line: string,
  families: Map<string, Draft>,
  current: Draft | undefined,
): Draft | undefined {
  const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+)(?: (.*))?$/s.exec(line) ?? [];
  if (keyword === undefined) return current;
  if (!nameRule.test(name)) throw new Error('not a metric name');
  let family = families.get(name);
  if (family !== undefined && family !== current) throw new Error('the family is in two pieces');
  if (family === undefined) families.set(name, (family = { name, type: '', help: undefined, samples: [] }));
  if (keyword === 'HELP') {
    if (family.help !== undefined) throw new Error('HELP twice');
    if (!/^(?:[^\\]|\\[\\n])*$/.test(rest)) throw new Error('an escape that HELP does not have');
    family.help = rest;
  } else {
    if (family.type !== '') throw new Error('TYPE twice');
    if (family.samples.length > 0) throw new Error('TYPE after the samples');
    if (!types.has(rest)) throw new Error(`the type ${rest}`);
    family.type = rest;
  }
  return family;
}

function familyOf(name: string, families: Map<string, Draft>, current: Draft | undefined): Draft {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const owner = families.get(name) ?? families.get(base);
  if (owner === undefined || owner.type === '') throw new Error('a sample before its TYPE');
  const composite = owner.type === 'histogram' || owner.type === 'summary';
  if (owner.name === name && owner.type === 'histogram') throw new Error('a bare sample of a histogram');
  if (owner.name !== name && !composite) throw new Error('a sample of no family');
  if (owner !== current) throw new Error('the family is in two pieces');
  return owner;
}

function readSample(line: string): Sample {
  const [, name, , body = '', rawValue = ''] =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)(?: -?\d+)?$/s.exec(line) ?? [];
  if (name === undefined) throw new Error('not a sample');
  const value = readValue(rawValue);
  return { name, labels: readLabels(body), value };
}

function readValue(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw new Error(`the value ${text}`);
  return Number(text);
}

function readLabels(body: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = body;
  while (rest !== '') {
    const [whole, name, value] = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\n"])*)"(?:,|$)/.exec(rest) ?? [];
    if (whole === undefined || name === undefined || value === undefined)
      throw new Error(`labels at ${rest}`);
    if (Object.hasOwn(labels, name)) throw new Error(`the label ${name} twice`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function checkHistogram({ name, samples }: Draft): void {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = seriesKey({ name, labels });
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    if (!group.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${key} has no _sum`);
    let bound = -Infinity;
    let below = 0;
    for (const bucket of buckets) {
      const next = readValue(bucket.labels['le'] ?? '');
      if (next <= bound) throw new Error(`${key}: bucket bounds do not ascend`);
      if (bucket.value < below) throw new Error(`${key}: bucket ${next} falls below the one before`);
      [bound, below] = [next, bucket.value];
    }
    if (bound !== Infinity || below !== count)
      throw new Error(`${key}: +Inf ${below} is not _count ${count}`);
  }
}
