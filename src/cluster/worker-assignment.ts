/** The primary's decisions for a new worker, which reach it in an environment variable. */
export interface WorkerAssignment {
  /** The number of the worker, which the primary gives only once, unlike a pid. */
  readonly generation: number;
  /** The service's folder. */
  readonly folder: string;
  /** The number in the names of the worker's files there. */
  readonly id: number;
  /** The primary's pid. */
  readonly primary: number;
  /** Whether the worker only loads its code, and goes on when it is told to `begin`. */
  readonly waits: boolean;
}

const VARIABLE = 'KOA_CLUSTER_WORKER';

/** Returns the environment variables that make a forked process a worker of ours. */
export function assignmentVariables(assignment: WorkerAssignment): Record<string, string> {
  return { [VARIABLE]: JSON.stringify(assignment) };
}

/** Reads the assignment of this process; undefined when it was not forked by our primary. */
export function readAssignment(env: NodeJS.ProcessEnv): WorkerAssignment | undefined {
  const text = env[VARIABLE];
  return text === undefined ? undefined : JSON.parse(text); // only our primary writes it
}
