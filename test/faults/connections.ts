import { type Socket, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { requestBytes } from '../support/exchange';
import { Load, failed } from '../support/load-client';
import { cpuSeconds } from '../support/processes';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';

/** Opens a connection, has one request answered on it, and leaves it open. Gives false when it does not get so far. */
function openOne(service: Service, sockets: Set<Socket>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port: service.port, host: '127.0.0.1' });
    sockets.add(socket);
    socket.on('connect', () => socket.write(requestBytes({ method: 'GET', path: '/idle' })));
    socket.on('data', () => resolve(true));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      resolve(false);
    });
  });
}

async function open(service: Service, count: number, sockets: Set<Socket>): Promise<number> {
  let answered = 0;
  for (let opened = 0; opened < count; opened += 100) {
    const batch = Array.from({ length: Math.min(100, count - opened) }, () => openOne(service, sockets));
    answered += (await Promise.all(batch)).filter(Boolean).length;
  }
  return answered;
}

/** The share of one core that the whole service uses while nothing happens, in percent. */
async function idleCpu(service: Service, seconds: number): Promise<number> {
  const used = (): number => service.processes().reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = used();
  await delay(seconds * 1000);
  return ((used() - before) / seconds) * 100;
}

async function recovers(context: Context, stimulus: string, service: Service): Promise<void> {
  const load = new Load({ port: service.port, rate: 200, connections: 'each', timeoutMs: 5000 });
  await eventually('load', 5000, () => load.made >= 200);
  const report = await load.stop();
  context.check(stimulus, `${failed(report)} of ${report.sent} failed`, '0', failed(report) === 0);
}

async function idle(context: Context): Promise<void> {
  const service = await context.faulty();
  const count = context.times(10_000, 2000);
  const sockets = new Set<Socket>();
  const answered = await open(service, count, sockets);
  await delay(1000);
  const cpu = await idleCpu(service, context.times(5, 3));
  context.check(
    `${count} idle connections`,
    `${answered} answered, ${sockets.size} still open, ${cpu.toFixed(1)} % of a core`,
    'all, all, < 5 %',
    answered === count && sockets.size === count && cpu < 5,
  );
  await recovers(context, `${count} idle connections: others meanwhile`, service);
  for (const socket of sockets) socket.destroy();
  await recovers(context, `${count} idle connections closed: others after`, service);
  await service.dispose();
}

/** More connections than file descriptors: those that do not fit wait, and nothing dies of it. */
async function fewDescriptors(context: Context): Promise<void> {
  const command = ['sh', '-c', 'ulimit -n 256 && exec "$0" "$@"', process.execPath];
  const service = await context.faulty({}, { command });
  const pids = service.workers().join();
  const sockets = new Set<Socket>();
  const attempts = Array.from({ length: 1000 }, () => openOne(service, sockets));
  let answered = 0;
  for (const attempt of attempts) void attempt.then((ok) => (answered += Number(ok)));
  await delay(2000);
  const cpu = await idleCpu(service, 2);
  const same = service.workers().join() === pids;
  context.check(
    '1,000 connections, 256 file descriptors a process',
    `${answered} answered, ${cpu.toFixed(0)} % of a core, workers ${same ? 'the same' : 'replaced'}`,
    'some, < 5 %, workers the same',
    answered > 100 && cpu < 5 && same,
  );
  for (const socket of sockets) socket.destroy();
  await Promise.all(attempts);
  await delay(500);
  await recovers(context, 'file descriptors free again', service);
  await service.dispose();
}

/** More connections than are good for a service. */
export const manyConnections: FaultCase = {
  id: 'many-connections',
  async run(context: Context) {
    await idle(context);
    await fewDescriptors(context);
  },
};
