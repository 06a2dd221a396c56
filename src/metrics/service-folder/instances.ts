import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { oneAtATime } from '../exposition/one-at-a-time.js';
import { quantile } from '../quantile.js';
import type { WorkerStatus } from '../worker-status.js';
import { type InstanceReport, readReport, type Report, ReportReader, reportPath } from './process-report.js';
import { askProcess, GONE } from './process-socket.js';

/** Milliseconds to wait for an instance: one that hangs is shown with its last report. */
const PATIENCE_MS = 1_500;

/** The fewest milliseconds over which traffic and the use of the processor are measured, and the most. */
const MEASURE_MS = 1_000;
const FRESH_MS = 10_000;

interface Reading {
  readonly report: Report;
  /** Milliseconds since 1970 at which the instance said it. */
  readonly at: number;
}

/** The readings of all instances, by id. */
type Readings = ReadonlyMap<string, Reading>;

/** Returns what one of the instances of an app says of itself; undefined if none of them is alive. */
export async function findInstance(folder: string): Promise<InstanceReport | undefined> {
  const readings = [...(await readAll(folder)).values()];
  return readings.find(({ report }) => report.instance)?.report.instance;
}

/**
 * Makes a function that returns the state of the instances of an app in PM2's cluster mode, in the order of
 * their numbers, from what each says of itself; none if all have ended. Their load is that since the call
 * before. A first call measures for a second, and calls that come sooner share one.
 */
export function watchInstances(folder: string): () => Promise<WorkerStatus[]> {
  let before: Readings = new Map();
  let readAt = -Infinity;
  return oneAtATime(async () => {
    if (performance.now() - readAt > FRESH_MS) {
      before = await readAll(folder);
      await delay(MEASURE_MS);
    }
    const now = await readAll(folder);
    const instances = [...now].map(([id, reading]) => statusOf(reading, before.get(id)));
    before = now;
    readAt = performance.now();
    return instances.toSorted((a, b) => a.worker - b.worker);
  }, MEASURE_MS);
}

async function readAll(folder: string): Promise<Readings> {
  const ids = namesIn(folder).flatMap((name) => /^(\d+)\.sock$/.exec(name)?.[1] ?? []);
  const readings = await Promise.all(ids.map(async (id) => [id, await read(folder, id)] as const));
  return new Map(readings.flatMap(([id, reading]) => (reading ? [[id, reading] as const] : [])));
}

async function read(folder: string, id: string): Promise<Reading | undefined> {
  const answer = await askProcess(join(folder, `${id}.sock`), PATIENCE_MS);
  if (answer === GONE) return undefined;
  const report = typeof answer === 'string' ? new ReportReader().read(answer) : undefined;
  if (report) return { report, at: Date.now() };
  const path = reportPath(folder, Number(id));
  const last = readReport(path);
  const at = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return last && at !== undefined ? { report: last, at } : undefined;
}

/** Lists the files of a folder; empty if it has been removed meanwhile. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function statusOf({ report, at }: Reading, before: Reading | undefined): WorkerStatus {
  const { instance } = report;
  return {
    worker: report.slot,
    pid: instance?.pid,
    ...(instance && { restarts: instance.restarts }),
    state: report.state,
    ageSeconds: (Date.now() - report.birth) / 1_000,
    silentSeconds: (Date.now() - at) / 1_000,
    rssBytes: value(report, 'process_resident_memory_bytes'),
    eventLoopDelaySeconds: value(report, 'nodejs_eventloop_lag_p99_seconds'),
    ...(before && at > before.at && loadOf(report, before.report, (at - before.at) / 1_000)),
  };
}

/** Returns what an instance has done between two reports. */
function loadOf(
  report: Report,
  before: Report,
  seconds: number,
): Pick<WorkerStatus, 'cpu' | 'requestsPerSecond' | 'p99Seconds'> {
  const { answered = [], buckets = [] } = report.instance ?? {};
  const counts = answered.map((count, i) => count - (before.instance?.answered[i] ?? 0));
  const p99Seconds = quantile(0.99, buckets, counts);
  return {
    cpu: (value(report, CPU) - value(before, CPU)) / seconds,
    requestsPerSecond: counts.reduce((sum, count) => sum + count, 0) / seconds,
    ...(p99Seconds !== undefined && { p99Seconds }),
  };
}

const CPU = 'process_cpu_seconds_total';

function value({ snapshot }: Report, name: string): number {
  return snapshot.metrics.find((metric) => metric.name === name)?.values[0]?.value ?? 0;
}
