import { setTimeout as delay } from 'node:timers/promises';
import type { ExitReason, WorkerState } from '../../metrics/supervision-metrics.js';
import type { Supervisor } from '../supervision/supervisor.js';
import type { Vitals } from './vitals.js';
import type { WorkerRecord } from '../supervision/worker-record.js';

/** A worker, or an instance, as `koa-cluster-metrics status` shows it. */
export interface WorkerStatus extends Partial<Vitals> {
  /** By which the log and the commands name it; never used again. */
  readonly worker: number;
  readonly pid: number | undefined;
  readonly state: WorkerState;
  readonly ageSeconds: number;
  /** Since it was last heard; more than a few seconds is a worker that hangs. */
  readonly silentSeconds: number;
  /** How many workers had its place before it. */
  readonly restarts: number;
}

/** Which service it is. */
export interface ServiceIdentity {
  /** Of the primary. */
  readonly pid: number;
  /** Where it is served; undefined before it is ready. */
  readonly url: string | undefined;
  /** Its port. */
  readonly listen: string;
}

/** The service as a whole. */
export interface ServiceStatus extends ServiceIdentity {
  readonly uptimeSeconds: number;
  /** How many workers there should be. */
  readonly wanted: number;
  /** How many workers have ended, by reason. */
  readonly exits: Readonly<Record<ExitReason, number>>;
  readonly workers: readonly WorkerStatus[];
}

/** A reading is as good as new for so long: workers make one a second while somebody looks. */
const FRESH_MS = 2_000;

/** How long a worker is waited for: one that hangs is shown with what it last said. */
const PATIENCE_MS = 1_500;
const POLL_MS = 50;

/** Asks the workers to measure themselves, and resolves when those that can have done it. */
export async function lookAtWorkers(supervisor: Supervisor): Promise<WorkerStatus[]> {
  const asked = performance.now();
  for (const { state, process } of supervisor.workers())
    if (state !== 'starting') process.send({ type: 'watched' });
  while (supervisor.workers().some(isAwaited) && performance.now() - asked < PATIENCE_MS)
    await delay(POLL_MS);
  const now = performance.now();
  return supervisor.workers().map((worker) => statusOf(worker, now));
}

function isAwaited({ state, vitals }: WorkerRecord): boolean {
  return state === 'ready' && performance.now() - (vitals?.at ?? -Infinity) > FRESH_MS;
}

function statusOf(record: WorkerRecord, now: number): WorkerStatus {
  const { generation, process, state, forkedAt, lastHeard, restarts, vitals } = record;
  return {
    worker: generation,
    pid: process.pid,
    state,
    ageSeconds: (now - forkedAt) / 1_000,
    silentSeconds: Math.max(0, now - lastHeard) / 1_000,
    restarts,
    ...vitals?.values,
  };
}
