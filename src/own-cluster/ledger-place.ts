const VARIABLE = 'KOA_CLUSTER_METRICS_FOLDER';

/** Passes the folder of the ledgers to all workers that are forked from now on. */
export function announceFolder(folder: string): void {
  process.env[VARIABLE] = folder;
}

/** Returns the folder of the ledgers, as the primary has passed it on. */
export function announcedFolder(): string {
  const folder = process.env[VARIABLE];
  if (folder !== undefined) return folder;
  throw new Error(
    'Metrics of a worker need those of the primary: call clusterMetrics() there before it forks.',
  );
}
