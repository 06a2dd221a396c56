import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { wantedInstances } from '../../src/pm2/wanted-instances';

let home: string;
let server: Server;
let asked: Buffer;
let answer: (socket: Socket) => unknown;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'pm2-home-'));
  server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (bytes) => {
      asked = bytes;
      void answer(socket);
    });
  });
  await new Promise<void>((resolve) => void server.listen(join(home, 'rpc.sock'), resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true });
});

/** The answer of PM2's daemon, with the id of the call after it. */
function told(list: unknown): Buffer {
  const json = Buffer.from(`j:${JSON.stringify({ args: [list] })}`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([Buffer.of(0x12), length, json, Buffer.from('\0\0\0\u0003s:1')]);
}

const instance = (status: string, name = 'app', exec_mode = 'cluster_mode') => ({
  name,
  pm2_env: { status, exec_mode, note: 'é'.repeat(40_000) },
});

test('counts the instances of this app that nobody has stopped', async () => {
  answer = (socket) =>
    socket.write(
      told([
        ...['online', 'launching', 'errored', 'waiting restart', 'stopping', 'stopped'].map((status) =>
          instance(status),
        ),
        instance('online', 'another'),
        instance('online', 'app', 'fork_mode'),
        null,
      ]),
    );
  expect(await wantedInstances({ PM2_HOME: home, name: 'app' })()).toBe(4);
  const call = 'j:{"type":"call","method":"getMonitorData","args":[{}]}';
  expect(asked.toString()).toBe(`\u0012\0\0\0${String.fromCharCode(call.length)}${call}\0\0\0\u0003s:1`);
});

test('an answer may come in pieces', async () => {
  answer = async (socket) => {
    const bytes = told([instance('online')]);
    for (const [from, to] of [
      [0, 3],
      [3, 5],
      [5, 60],
      [60, bytes.length],
    ]) {
      socket.write(bytes.subarray(from, to));
      await setImmediate();
    }
  };
  expect(await wantedInstances({ PM2_HOME: home, name: 'app' })()).toBe(1);
});

test.each([
  ['says nothing', () => {}],
  ['closes', (socket: Socket) => socket.end()],
  ['has another protocol', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['has no such call', (socket: Socket) => socket.write(Buffer.from('\u0012\0\0\0\u0004j:{}'))],
  ['answers no JSON', (socket: Socket) => socket.write(Buffer.from('\u0012\0\0\0\u0004j:{['))],
])('where PM2 %s, it is what PM2 said last, and 0 if that is nothing', async (_, otherwise) => {
  const wanted = wantedInstances({ PM2_HOME: home, name: 'app' });
  answer = otherwise;
  expect(await wanted()).toBe(0);
  answer = (socket) => socket.write(told([instance('online')]));
  expect(await wanted()).toBe(1);
  answer = otherwise;
  expect(await wanted()).toBe(1);
});

test('it is 0 where there is no PM2', async () => {
  expect(await wantedInstances({})()).toBe(0);
  expect(await wantedInstances({ PM2_HOME: join(home, 'none'), name: 'app' })()).toBe(0);
});
