import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CountKeeper } from '../../../src/metrics/service-folder/count-keeper';
import { ServiceFolder } from '../../../src/metrics/service-folder/service-folder';

let base: string;
beforeEach(() => (base = mkdtempSync(join(tmpdir(), 'keeper-test-'))));
afterEach(() => rmSync(base, { recursive: true, force: true }));

it('says each time that the counts can no longer be kept, once', () => {
  const folder = new ServiceFolder({ base, identity: ['x'], onRefused: () => {}, onError: () => {} });
  const onError = jest.fn();
  const about = { folder, owner: 1, buckets: [1], keep: true, isTemporary: false, linesLost: () => 0 };
  const keeper = new CountKeeper({ ...about, onLoss: () => {}, onError });
  keeper.takeCharge();
  const save = () => keeper.saveAnew(() => ({ rows: [], metrics: [] }));
  for (let failure = 1; failure <= 2; failure += 1) {
    renameSync(folder.path, join(base, 'away'));
    for (const _ of ['first', 'second']) save();
    expect(onError).toHaveBeenCalledTimes(failure);
    renameSync(join(base, 'away'), folder.path);
    save();
  }
});
