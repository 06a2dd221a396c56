import cluster from 'node:cluster';
import { register } from 'prom-client';
import { RemoteGatherer } from '../cluster/exposition-relay.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import { keepDurableCounters } from '../metrics/durable-counter.js';
import { Ledger } from '../metrics/ledger/ledger.js';
import { RequestMetrics } from '../metrics/request-metrics.js';
import { snapshotText } from '../metrics/snapshot/take-snapshot.js';
import { announcedFolder } from './ledger-place.js';
import { type FromPrimary, type FromWorker, fromPrimary, wrapped } from './messages.js';

/** Counts the requests of this worker, and answers the primary's questions. */
export class WorkerMetrics {
  readonly requests: RequestMetrics;
  readonly #ledger: Ledger;
  readonly #gatherer = new RemoteGatherer<Format>((message) => tell(message));

  constructor({ buckets }: { readonly buckets: readonly number[] }) {
    this.#ledger = Ledger.open({
      folder: announcedFolder(),
      generation: cluster.worker?.id ?? 0,
      buckets,
      onError: () => tell({ type: 'ledger-failed' }),
    });
    this.#ledger.watch();
    keepDurableCounters(register, this.#ledger);
    this.requests = new RequestMetrics(buckets, this.#ledger);
    process.on('message', (value) => {
      const message = fromPrimary(value);
      if (message) void this.#hear(message);
    });
  }

  /**
   * Gets the exposition of all workers. Rejects if the primary has no metrics, or does
   * not answer within five seconds.
   */
  gather(format: Format): Promise<Buffer> {
    return this.#gatherer.gather(format);
  }

  async #hear(message: FromPrimary): Promise<void> {
    switch (message.type) {
      case 'collect':
        return tell({
          type: 'snapshot',
          id: message.id,
          snapshot: await snapshotText(register, this.#ledger.memoryOnly()),
        });
      case 'exposition':
      case 'exposition-failed':
        return this.#gatherer.receive(message);
    }
  }
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(wrapped(message));
}
