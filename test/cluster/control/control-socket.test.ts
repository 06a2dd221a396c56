import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Controls, ControlSocket } from '../../../src/cluster/control/control-socket';

const nobody = (): never => {
  throw new Error('nobody asks');
};
const controls: Controls = {
  identity: nobody,
  status: nobody,
  reload: nobody,
  setLogLevel: nobody,
  find: nobody,
};

test('a control socket whose path the system has no room for is refused, and ends nobody', async () => {
  const base = mkdtempSync(join(tmpdir(), 'control-'));
  const folder = join(base, 'd'.repeat(100));
  mkdirSync(folder);
  await expect(new ControlSocket(folder, controls).listen()).rejects.toThrow(/ENOENT|ENAMETOOLONG|EINVAL/);
  rmSync(base, { recursive: true });
});
