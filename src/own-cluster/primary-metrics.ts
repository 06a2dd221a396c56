import cluster, { type Worker } from 'node:cluster';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { register, Registry } from 'prom-client';
import { sendExposition } from '../cluster/exposition-relay.js';
import { ClusterRegistry } from '../metrics/exposition/cluster-registry.js';
import type { Exposition, Format } from '../metrics/exposition/gatherer.js';
import { startTime } from '../metrics/ledger/process-identity.js';
import { RequestMetrics } from '../metrics/request-metrics.js';
import { markAsTemporary, removeLeftovers } from '../metrics/service-folder/leftovers.js';
import { ServiceFolder } from '../metrics/service-folder/service-folder.js';
import { snapshotText } from '../metrics/snapshot/take-snapshot.js';
import { announceFolder } from './ledger-place.js';
import { type FromPrimary, type FromWorker, fromWorker, wrapped } from './messages.js';

/** The id of the primary itself, if it serves too: Node numbers workers from 1. */
const OWN = 0;

/** Gathers the metrics of all workers that this process forks. */
export class PrimaryMetrics {
  readonly requests: RequestMetrics;
  readonly #registry: ClusterRegistry;
  #own = false;

  constructor({ prefix, buckets }: { readonly prefix: string; readonly buckets: readonly number[] }) {
    const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const place = new ServiceFolder({
      base,
      identity: ['own', String(process.pid), String(startTime(process.pid) ?? Date.now())],
      onRefused: () => {},
      onError: (err) => process.emitWarning(`A worker that is killed loses its counts: ${err.message}`),
    });
    const { path: folder } = place;
    announceFolder(folder);
    process.once('exit', () => place.removeAll());
    // A signal that the app does not handle leaves the folder: the next start removes it.
    mark(folder);
    removeLeftovers(base).catch(() => {});
    // Without this another service would take the folder for a leftover after a day.
    place.watch(undefined, () => {
      process.emitWarning('Somebody has removed the folder of counts: it is made anew');
      mark(folder);
    });
    this.#registry = new ClusterRegistry({
      folder,
      prefix,
      buckets,
      perWorker: false,
      registry: new Registry(),
    });
    this.requests = new RequestMetrics(buckets);
    cluster.on('fork', (worker) => {
      // A worker that finds no folder would keep its counts in memory for good; one without the mark would be
      // taken for a leftover.
      place.make();
      mark(folder);
      this.#registry.addWorker(worker.id, (id) => tell(worker, { type: 'collect', id }));
    });
    // The primary has the ledgers open from now on: what is in a removed one can still be read.
    cluster.on('listening', () => this.#registry.workerReady());
    cluster.on('message', (worker, value: unknown) => {
      const message = fromWorker(value);
      if (message) this.#hear(worker, message);
    });
    cluster.on('exit', (worker) => this.#registry.removeWorker(worker.id));
  }

  async gather(format: Format): Promise<Buffer> {
    return (await this.#gatherAll(format)).bytes;
  }

  #gatherAll(format: Format): Promise<Exposition> {
    if (!this.#own) this.#registry.addWorker(OWN, (id) => void this.#answerOwn(id));
    this.#own = true;
    // The requests of this process are in no ledger: they come with its answer.
    if (this.requests.rows.length > 0) this.#registry.ledgerFailed(OWN);
    return this.#registry.gather(format);
  }

  /**
   * Answers for the primary as one of its own workers, where the app is not clustered
   * or its primary serves as well.
   */
  async #answerOwn(id: number): Promise<void> {
    this.#registry.receiveSnapshot(OWN, id, await snapshotText(register, this.requests.rows));
  }

  #hear(worker: Worker, message: FromWorker): void {
    switch (message.type) {
      case 'snapshot':
        return void this.#registry.receiveSnapshot(worker.id, message.id, message.snapshot);
      case 'ledger-failed':
        return this.#registry.ledgerFailed(worker.id);
      case 'scrape':
        return void this.#answer(worker, message.id, message.format);
    }
  }

  async #answer(worker: Worker, id: number, format: Format): Promise<void> {
    try {
      sendExposition(await this.#gatherAll(format), id, (message, taken) => {
        if (message.type === 'exposition') tell(worker, message, taken);
      });
    } catch (err) {
      tell(worker, { type: 'exposition-failed', id, message: String(err) });
    }
  }
}

function mark(folder: string): void {
  try {
    markAsTemporary(folder);
  } catch {
    // The folder is kept for a day if this process is killed.
  }
}

/** Sends a message to a worker. Returns false if the worker is gone. */
function tell(worker: Worker, message: FromPrimary, taken: (err: Error | null) => void = () => {}): boolean {
  return worker.isConnected() && worker.send(wrapped(message), undefined, taken);
}
