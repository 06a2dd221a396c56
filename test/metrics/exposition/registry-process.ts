import { Registry } from 'prom-client';
import { MergedMetrics, MetricSource, type Live } from '../../../src/metrics/exposition/merged-metrics';
import { Slices } from '../../../src/metrics/exposition/slices';
import { snapshotText, type Snapshot } from '../../../src/metrics/snapshot/snapshot';
import { SnapshotReader } from '../../../src/metrics/snapshot/snapshot-reader';
import { TextBuffer } from '../../../src/metrics/exposition/text-buffer';

/** A process with a registry; its snapshots go through JSON as on a real channel. */
export class RegistryProcess {
  readonly registry = new Registry();
  readonly source = new MetricSource();
  readonly registers = [this.registry];
  readonly #reader = new SnapshotReader();

  async snapshot(): Promise<Snapshot> {
    const snapshot = this.#reader.read(await snapshotText(this.registry, []));
    if (!snapshot) throw new Error('not a snapshot');
    return snapshot;
  }
}

/** The exposition of these processes, every one of which answers. */
export async function scrape(
  merged: MergedMetrics,
  processes: readonly RegistryProcess[],
  perWorker = false,
): Promise<string> {
  const live = await Promise.all(
    processes.map(async (process, i): Promise<Live> => {
      const snapshot = await process.snapshot();
      merged.add(process.source, snapshot);
      return perWorker ? { snapshot, slot: i + 1 } : { snapshot };
    }),
  );
  return rendered(merged, live);
}

/** The families of these processes as text. */
export async function rendered(merged: MergedMetrics, live: readonly Live[]): Promise<string> {
  const text = new TextBuffer();
  await merged.render(live, text, await Slices.begin());
  return text.bytes.toString();
}
