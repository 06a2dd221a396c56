import http from 'node:http';
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

test('a control socket that is made anew again and again leaves no listeners behind', async () => {
  const base = mkdtempSync(join(tmpdir(), 'control-'));
  const createServer = jest.spyOn(http, 'createServer');
  const socket = new ControlSocket(base, controls);
  const server: unknown = createServer.mock.results[0]?.value;
  if (!(server instanceof http.Server)) throw new Error('no server was made');
  const listeners = server.listenerCount('error');
  for (let n = 0; n < 3; n += 1) await socket.listen();
  expect(server.listenerCount('error')).toBe(listeners);
  rmSync(base, { recursive: true });
});
