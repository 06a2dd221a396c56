import { Counter, Gauge, Registry } from 'prom-client';
import {
  ClusterRegistry,
  type ClusterRegistryOptions,
} from '../../../src/metrics/exposition/cluster-registry';
import { Ledger } from '../../../src/metrics/ledger/ledger';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { snapshotText } from '../../../src/metrics/snapshot/take-snapshot';
import { parseExposition, total } from '../../support/exposition';

const buckets = [0.1, 1];

/** A primary with a short deadline that asks at every scrape, without a pause between two. */
export function primaryOf(
  options: Pick<ClusterRegistryOptions, 'folder'> & Partial<ClusterRegistryOptions>,
): ClusterRegistry {
  const registry = new Registry();
  return new ClusterRegistry({
    prefix: 'p_',
    buckets,
    perWorker: false,
    timeoutMs: 500,
    maxAgeMs: 0,
    intervalMs: 0,
    registry,
    ...options,
  });
}

/** A worker within this process, with a real ledger and registry. */
export class Worker {
  readonly ledger: Ledger;
  readonly metrics: RequestMetrics;
  readonly jobs: Counter;
  readonly load: Gauge;
  silent = false;

  constructor(
    readonly primary: ClusterRegistry,
    readonly generation: number,
    folder: string,
    map = true,
    readonly registry = new Registry(),
  ) {
    const registers = [this.registry];
    this.ledger = Ledger.open({ folder, generation, buckets, onError: () => {}, map });
    this.metrics = new RequestMetrics(buckets, this.ledger);
    this.jobs = new Counter({ name: 'jobs', help: 'Jobs.', registers });
    this.load = new Gauge({ name: 'load', help: 'Load.', registers });
    primary.addWorker(generation, (id) => {
      if (!this.silent) void this.send(id);
    });
  }

  serve(endpoint = '/', seconds = 0.5): void {
    this.metrics.endpoint(endpoint).observe('GET', 200, seconds);
  }

  snapshot(): Promise<string> {
    return snapshotText(this.registry, this.ledger.memoryOnly());
  }

  async send(id?: number): Promise<void> {
    this.primary.receiveSnapshot(this.generation, id, await this.snapshot());
  }
}

/** The totals of these series in a new exposition. */
export async function values(primary: ClusterRegistry, ...names: string[]): Promise<number[]> {
  const families = parseExposition(await primary.clusterMetrics());
  return names.map((name) => total(families, name));
}
