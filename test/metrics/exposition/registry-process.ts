import { Registry } from 'prom-client';
import { Slices } from '../../../src/metrics/event-loop-turns';
import { FamilyReadings, type FamilyTotals, type Live } from '../../../src/metrics/aggregation/family-totals';
import { TextRenderer } from '../../../src/metrics/exposition/text-renderer';
import type { Snapshot } from '../../../src/metrics/snapshot/snapshot';
import { SnapshotReader } from '../../../src/metrics/snapshot/snapshot-reader';
import { snapshotText } from '../../../src/metrics/snapshot/take-snapshot';

/** A process with a registry; its snapshots go through JSON as on a real channel. */
export class RegistryProcess {
  readonly registry = new Registry();
  readonly families: FamilyReadings;
  readonly registers = [this.registry];
  readonly #reader = new SnapshotReader();

  constructor(birth = 0) {
    this.families = new FamilyReadings(birth);
  }

  async snapshot(): Promise<Snapshot> {
    const snapshot = this.#reader.read(await snapshotText(this.registry, []));
    if (!snapshot) throw new Error('not a snapshot');
    return snapshot;
  }
}

/** The exposition of these processes, all of which answer. `all` have counted, these and others. */
export async function scrape(
  totals: FamilyTotals,
  processes: readonly RegistryProcess[],
  perWorker = false,
  all: ReadonlySet<RegistryProcess> = new Set(processes),
): Promise<string> {
  const live = await Promise.all(
    processes.map(async (process, i): Promise<Live> => {
      const snapshot = await process.snapshot();
      totals.read(process.families, snapshot);
      return perWorker ? { snapshot, slot: i + 1 } : { snapshot };
    }),
  );
  return rendered(totals, live, all);
}

/** The families of these processes as text. */
export async function rendered(
  totals: FamilyTotals,
  live: readonly Live[],
  all: ReadonlySet<{ readonly families: FamilyReadings }>,
): Promise<string> {
  const families = totals.families(all, live, await Slices.begin()).then((list) => [list]);
  const none = new Float64Array(0);
  const requests = { rows: [], counts: none, groups: [], histograms: none };
  const text = await new TextRenderer('x_', []).render({ asOf: 0, requests, others: families });
  // The two request metrics are left out, which have two lines each, and the empty lines before the
  // second and the first family.
  return text.toString().split('\n').slice(6).join('\n');
}
