import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Snapshot } from '../snapshot/snapshot.js';
import { SnapshotReader } from '../snapshot/snapshot-reader.js';
import { EXIT_REASONS, type ExitReason, WORKER_STATES, type WorkerState } from '../supervision-metrics.js';

/** What a process says of itself beside its metrics. */
export interface About {
  readonly state: WorkerState;
  /** Which one of the service's processes it is, from 1. */
  readonly slot: number;
  /** When it began, in milliseconds since 1970. */
  readonly birth: number;
  /** Why it ends, in its last report. */
  readonly exit?: ExitReason;
}

export interface Report extends About {
  readonly snapshot: Snapshot;
}

/** The file in which a process' last report is kept. */
export function reportPath(folder: string, id: number): string {
  return join(folder, `${id}.json`);
}

/** @param snapshot is a `snapshotText` */
export function reportText(about: About, snapshot: string): string {
  return `${JSON.stringify(about)}\n${snapshot}`;
}

/** Reads what one process says of itself again and again. */
export class ReportReader {
  readonly #snapshots = new SnapshotReader();

  /** Undefined for anything that is no report. */
  read(text: string): Report | undefined {
    const end = text.indexOf('\n');
    const about = parseAbout(text.slice(0, end));
    const snapshot = about && this.#snapshots.read(text.slice(end + 1));
    return snapshot && { ...about, snapshot };
  }
}

/** Keeps a report for when its process is late or gone. Throws when it cannot be written. */
export function writeReport(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined when there is none. */
export function readReport(path: string, reader = new ReportReader()): Report | undefined {
  try {
    return reader.read(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function parseAbout(text: string): About | undefined {
  try {
    const { state, slot, birth, exit }: Record<string, unknown> = JSON.parse(text);
    if (!isOneOf(WORKER_STATES, state) || typeof slot !== 'number' || typeof birth !== 'number')
      return undefined;
    return { state, slot, birth, ...(isOneOf(EXIT_REASONS, exit) && { exit }) };
  } catch {
    return undefined;
  }
}

function isOneOf<T>(values: readonly T[], value: unknown): value is T {
  return values.some((one) => one === value);
}
