import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseSnapshot } from '../metrics/snapshot/snapshot-parser.js';
import type { Snapshot } from '../metrics/snapshot/snapshot.js';
import {
  EXIT_REASONS,
  type ExitReason,
  WORKER_STATES,
  type WorkerState,
} from '../metrics/supervision-metrics.js';

/** What an instance says of itself. */
export interface Report {
  readonly state: WorkerState;
  /** Which one of the app's instances it is, from 1. */
  readonly slot: number;
  /** When it began, in milliseconds since the epoch. */
  readonly birth: number;
  /** Why it ends, in its last report. */
  readonly exit?: ExitReason;
  readonly snapshot: Snapshot;
}

/** Undefined for anything that is no report. */
export function parseReport(text: string): Report | undefined {
  try {
    const { state, slot, birth, exit, snapshot }: Record<string, unknown> = JSON.parse(text);
    const known = parseSnapshot(snapshot);
    if (!known || !isOneOf(WORKER_STATES, state)) return undefined;
    if (typeof slot !== 'number' || typeof birth !== 'number') return undefined;
    return { state, slot, birth, snapshot: known, ...(isOneOf(EXIT_REASONS, exit) && { exit }) };
  } catch {
    return undefined;
  }
}

/** Keeps a report for when its process is late or gone. Throws when it cannot be written. */
export function writeReport(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Undefined when there is none. */
export function readReport(path: string): Report | undefined {
  try {
    return parseReport(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function isOneOf<T>(values: readonly T[], value: unknown): value is T {
  return values.some((one) => one === value);
}
