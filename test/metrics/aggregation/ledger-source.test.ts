import { rmSync } from 'node:fs';
import { Aggregation } from '../../../src/metrics/aggregation/aggregation';
import { LedgerSource } from '../../../src/metrics/aggregation/ledger-source';
import { Slices } from '../../../src/metrics/event-loop-turns';
import { Ledger } from '../../../src/metrics/ledger/ledger';
import { nativeCell } from '../../../src/metrics/native-buckets';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { memoryFolder } from '../ledger/memory-folder';

const buckets = [1];

test('a process that ends while others are read is counted once, though its files are still there', async () => {
  const folder = memoryFolder();
  try {
    const ledger = Ledger.open({ folder, generation: 7, buckets, onError: () => {} });
    new RequestMetrics(buckets, ledger).endpoint('/').observe('GET', 200, 0.5);
    const aggregation = new Aggregation({ buckets, reserved: [] });
    const source = new LedgerSource({ folder, id: 7, buckets, birth: 1 });
    const slices = await Slices.begin();
    await source.readLedger(aggregation, slices);
    source.retireTo(aggregation);
    await source.readLedger(aggregation, slices, true);
    const { counts, details } = await aggregation.requests(slices, true);
    expect([...counts]).toEqual([1]);
    expect(details?.groups[0]?.native?.[nativeCell(0.5)]).toBe(1);
    ledger.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
