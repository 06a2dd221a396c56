const VARIABLE = 'KOA_CLUSTER_METRICS_FOLDER';

/** Tells the workers that are forked from now on where the ledgers are. */
export function announceFolder(folder: string): void {
  process.env[VARIABLE] = folder;
}

/** Where the primary has said that ledgers are. */
export function announcedFolder(): string {
  const folder = process.env[VARIABLE];
  if (folder !== undefined) return folder;
  throw new Error(
    'Metrics of a worker need those of the primary: call clusterMetrics() there before it forks.',
  );
}
