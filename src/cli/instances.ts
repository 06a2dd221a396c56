import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceStatus, WorkerStatus } from '../cluster/control/service-status.js';
import {
  readReport,
  type Report,
  ReportReader,
  reportPath,
} from '../metrics/service-folder/process-report.js';
import { askProcess, GONE } from '../metrics/service-folder/process-socket.js';
import { quantile } from '../metrics/quantile.js';
import { CommandError } from './command-error.js';

/** Milliseconds to wait for an instance: one that hangs is shown with its last report. */
const PATIENCE_MS = 1_500;

/** Milliseconds over which traffic and the use of the processor are measured. */
const MEASURE_MS = 1_000;

interface Reading {
  readonly report: Report;
  /** Milliseconds since 1970 at which the instance said it. */
  readonly at: number;
}

/** Looks at the instances of an app in PM2's cluster mode. Undefined if none of them is alive. */
export async function findInstances(
  folder: string,
): Promise<Pick<ServiceStatus, 'pid' | 'listen' | 'url'> | undefined> {
  for (const { report } of (await readAll(folder)).values())
    if (report.instance) return { ...report.instance, pid: report.instance.primary, url: undefined };
  return undefined;
}

/**
 * Returns the state of the instances of an app in PM2's cluster mode, from what each of them
 * says. It costs a second.
 * @throws CommandError when the last of them has ended
 */
export async function lookAtInstances(folder: string): Promise<ServiceStatus> {
  const before = await readAll(folder);
  await delay(MEASURE_MS);
  const now = await readAll(folder);
  const instances = [...now].map(([id, reading]) => statusOf(reading, before.get(id)));
  const [first] = [...now.values()];
  if (!first?.report.instance) throw new CommandError('The service has ended.');
  const { listen, primary } = first.report.instance;
  return {
    pid: primary,
    url: `${listen.startsWith('unix:') ? '' : 'port '}${listen}, PM2's cluster mode`,
    listen,
    uptimeSeconds: Math.max(...instances.map(({ ageSeconds }) => ageSeconds)),
    wanted: instances.length,
    workers: instances.toSorted((a, b) => a.worker - b.worker),
  };
}

async function readAll(folder: string): Promise<Map<string, Reading>> {
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
  return last && { report: last, at: statSync(path).mtimeMs };
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
