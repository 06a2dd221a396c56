import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Snapshot } from '../snapshot/snapshot.js';
import { SnapshotReader } from '../snapshot/snapshot-reader.js';
import { EXIT_REASONS, type ExitReason, WORKER_STATES, type WorkerState } from '../supervision-metrics.js';

/** The part of a report beside the metrics. */
export interface About {
  readonly state: WorkerState;
  /** The number of the process among the service's, from 1. */
  readonly slot: number;
  /** The start of the process, in milliseconds since 1970. */
  readonly birth: number;
  /** The number of reports that it had made before; absent if it makes no others. */
  readonly number?: number;
  /** The reason of its end, in its last report. */
  readonly exit?: ExitReason;
  /** An instance of a cluster that is not ours says more: there is no primary that could. */
  readonly instance?: InstanceReport;
}

/** The names by which a person knows an instance, and what it has done. */
export interface InstanceReport {
  readonly pid: number;
  /** The pid of the process that has forked it. */
  readonly primary: number;
  /** The place of the service, as in `ServiceIdentity`. */
  readonly listen: string;
  /** The number of processes that had its place before. */
  readonly restarts: number;
  /** The upper bounds of `answered`, in seconds, without +Inf. */
  readonly buckets: readonly number[];
  /** The number of answers by latency bucket, not cumulative. */
  readonly answered: readonly number[];
}

export interface Report extends About {
  readonly snapshot: Snapshot;
}

/** Returns the path of a process's last report. */
export function reportPath(folder: string, id: number): string {
  return join(folder, `${id}.json`);
}

/**
 * Writes a report as text.
 * @param snapshot a `snapshotText`
 */
export function reportText(about: About, snapshot: string): string {
  return `${JSON.stringify(about)}\n${snapshot}`;
}

/** Reads the reports of one process. */
export class ReportReader {
  readonly #snapshots = new SnapshotReader();

  /** Reads a report; undefined for any other text. */
  read(text: string): Report | undefined {
    const end = text.indexOf('\n');
    const about = parseAbout(text.slice(0, end));
    const snapshot = about && this.#snapshots.read(text.slice(end + 1));
    return snapshot && { ...about, snapshot };
  }
}

/** Writes a report for the time when its process is late or has ended. Throws if it cannot be written. */
export function writeReport(path: string, text: string): void {
  const draft = `${path}.new`;
  try {
    writeFileSync(draft, text, { mode: 0o600 });
    renameSync(draft, path);
  } catch (err) {
    // On a full storage it would hold room that others need.
    rmSync(draft, { force: true });
    throw err;
  }
}

/** Reads a report from its file; undefined if there is none. */
export function readReport(path: string, reader = new ReportReader()): Report | undefined {
  try {
    return reader.read(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Returns the later of two reports of one process; of two that have no numbers, the one that was read now.
 */
export function laterReport(known: Report | undefined, read: Report | undefined): Report | undefined {
  return read && (read.number ?? 0) >= (known?.number ?? 0) ? read : known;
}

function parseAbout(text: string): About | undefined {
  try {
    const { state, slot, birth, number, exit, instance }: Record<string, unknown> = JSON.parse(text);
    if (!isOneOf(WORKER_STATES, state) || typeof slot !== 'number' || typeof birth !== 'number')
      return undefined;
    return {
      state,
      slot,
      birth,
      ...(typeof number === 'number' && { number }),
      ...(isOneOf(EXIT_REASONS, exit) && { exit }),
      ...(isInstance(instance) && { instance }),
    };
  } catch {
    return undefined;
  }
}

function isInstance(value: unknown): value is InstanceReport {
  const { pid, primary, listen, restarts, buckets, answered }: Record<string, unknown> = Object(value);
  const numbers = [pid, primary, restarts].every((number) => typeof number === 'number');
  return numbers && typeof listen === 'string' && Array.isArray(buckets) && Array.isArray(answered);
}

function isOneOf<T>(values: readonly T[], value: unknown): value is T {
  return values.some((one) => one === value);
}
