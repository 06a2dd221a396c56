import { setTimeout as delay } from 'node:timers/promises';
import type { ExitReason } from '../../metrics/supervision-metrics.js';
import type { WorkerStatus } from '../../metrics/worker-status.js';
import type { Supervisor } from '../supervision/supervisor.js';
import type { WorkerRecord } from '../supervision/worker-record.js';

/** Process and address of a service. */
export interface ServiceIdentity {
  /** The pid of the primary. */
  readonly pid: number;
  /** The URL of the service; undefined before it is ready. */
  readonly url: string | undefined;
  /** The port of the service, as text. */
  readonly listen: string;
  /** The `HOST` of the service, where it has one. */
  readonly host?: string;
}

/** The state of a service and its workers. */
export interface ServiceStatus extends ServiceIdentity {
  readonly uptimeSeconds: number;
  /** The number of workers that should run. */
  readonly wanted: number;
  /** Numbers of ended workers, by reason. PM2's instances do not tell it. */
  readonly exits?: Readonly<Record<ExitReason, number>>;
  readonly workers: readonly WorkerStatus[];
}

/** Age up to which a reading is fresh: workers make one a second while somebody looks. */
const FRESH_MS = 2_000;

/** Milliseconds to wait for a worker's reading: one that hangs is shown with its last one. */
const PATIENCE_MS = 1_500;
const POLL_MS = 50;

/** Asks the workers to measure themselves, and waits for the readings of those that answer in time. */
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
