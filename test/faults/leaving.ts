import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const request = (line: string): string => `${line} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Keeps those that are pipelined behind it waiting. */
const slow = request('GET /stream?chunks=1&ms=100&size=10');

/** Bytes that a client sends after a first request, and the number of requests in them. */
const pieces: readonly (readonly [string, number])[] = [
  [request('CONNECT x:1'), 1],
  [slow + request('GET /livez').repeat(3), 4],
  [slow + request('GET /stream?chunks=100&ms=0&size=10000').repeat(3), 4],
  [request('GET /stream?chunks=100&ms=1&size=100000'), 1],
  [slow + request('CONNECT x:1'), 2],
  [`${slow}rubbish\r\n\r\n`, 2],
];

/** Clients that leave in the middle of all that a connection can be in the middle of. */
export const leavingClients: FaultCase = {
  id: 'leaving-clients',
  async run(context: Context) {
    const rounds = context.times(20, 5);
    const service = await context.faulty();
    const workers = service.workers();
    const before = await counted(service);
    const descriptors = openFiles(workers);
    let sent = 0;
    for (let round = 0; round < rounds; round += 1) {
      sent += await leaveInTheMiddle(service.port);
    }
    const after = await eventually('all are counted', 10_000, async () => {
      const now = (await counted(service)) - before;
      return now >= sent && now;
    }).catch(async () => (await counted(service)) - before);
    context.check(`${sent} requests of clients that left`, `${after} counted`, String(sent), after === sent);
    const left = await eventually(
      'files are closed',
      10_000,
      () => openFiles(workers) <= descriptors + 4,
    ).catch(() => false);
    context.check(
      'file descriptors of the workers',
      `${openFiles(workers)}, before ${descriptors}`,
      'no more than before, but for 4',
      left,
    );
    const stayed = service.workers().join() === workers.join();
    context.check('the workers', stayed ? 'stayed' : 'went', 'stayed', stayed);
    await service.dispose();
  },
};

/** Lets clients leave in every way; gives how many requests they had sent. */
export async function leaveInTheMiddle(port: number): Promise<number> {
  const clients = pieces.flatMap(([bytes]) => [
    leave(port, bytes, 'destroy'),
    leave(port, bytes, 'resetAndDestroy'),
  ]);
  await Promise.all(clients);
  return pieces.reduce((sum, [, requests]) => sum + 2 * (1 + requests), 0);
}

async function leave(port: number, bytes: string, how: 'destroy' | 'resetAndDestroy'): Promise<void> {
  const socket: Socket = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  // When the first answer comes the service has read all bytes: unread ones would be no request.
  socket.write(request('GET /livez') + bytes);
  await once(socket, 'data');
  socket[how]();
}

/** Answers of any kind, but for scrapes. */
async function counted(service: Service): Promise<number> {
  const families = await service.scrape();
  const name = 'flask_app_request_count';
  return total(families, name) - total(families, name, { endpoint: '/metrics' });
}

function openFiles(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
}
