/** Tells a worker at its birth what the primary has decided for it. */
export interface WorkerAssignment {
  /** Unique for the primary's life, unlike a pid. */
  readonly generation: number;
  /** The service's folder. */
  readonly folder: string;
  /** Names its files there. */
  readonly id: number;
  /** The primary's pid. */
  readonly primary: number;
}

const VARIABLE = 'KOA_CLUSTER_WORKER';

/** The environment that makes a forked process a worker of ours. */
export function assignmentVariables(assignment: WorkerAssignment): Record<string, string> {
  return { [VARIABLE]: JSON.stringify(assignment) };
}

/** Reads what the primary told this process; undefined when it was not forked by our primary. */
export function readAssignment(env: NodeJS.ProcessEnv): WorkerAssignment | undefined {
  const text = env[VARIABLE];
  // Only our primary writes it.
  return text === undefined ? undefined : (JSON.parse(text) as WorkerAssignment);
}
