import { rawExchange } from '../support/exchange';
import { type Family, total } from '../support/exposition';
import { residentBytes } from '../support/processes';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const batch = 100;
/** Methods that Node's parser knows; most of them are no registered HTTP method that we label. */
const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'MKCOL', 'REPORT', 'PURGE', 'QUERY'];

function hostile(index: number): string {
  const method = methods[index % methods.length] ?? 'GET';
  const path = `/${index.toString(36)}/${(index * 7919).toString(36)}?q=${index}`;
  return `${method} ${path} HTTP/1.1\r\nHost: h${index}.example\r\nX-Request-Id: r${index}\r\n\r\n`;
}

/** Sends the requests `from` to `to`, pipelined; gives the number of answers. */
async function send(service: Service, from: number, to: number): Promise<number> {
  let answers = 0;
  for (let index = from; index < to; index += batch) {
    const count = Math.min(batch, to - index);
    const bytes = Array.from({ length: count }, (_, n) => hostile(index + n)).join('');
    const exchange = await rawExchange(service.port, bytes, { answers: count, deadlineMs: 10_000 });
    answers += exchange.answers.length;
  }
  return answers;
}

/** Methods that no parser knows, each on a connection of its own. */
async function unknownMethods(service: Service, count: number): Promise<number> {
  let answers = 0;
  for (let n = 0; n < count; n += 1) {
    const bytes = `M${n.toString(36).toUpperCase()} / HTTP/1.1\r\nHost: x\r\n\r\n`;
    answers += (await rawExchange(service.port, bytes, { answers: 1 })).answers.length;
  }
  return answers;
}

/**
 * Counts the series of the service's own metrics: Node's have one for each kind of
 * garbage collection and handle.
 */
function seriesOf(families: ReadonlyMap<string, Family>): number {
  const own = [...families].filter(([name]) => name.startsWith('flask_app_'));
  return own.reduce((sum, [, { samples }]) => sum + samples.length, 0);
}

/** Clients that make up paths, methods and hosts. */
export const cardinality: FaultCase = {
  id: 'cardinality',
  async run(context: Context) {
    const service = await context.faulty();
    const requests = context.times(100_000, 20_000);
    await send(service, 0, 2000);
    await unknownMethods(service, 20);
    await service.scrape();
    const before = await service.scrape();
    const memory = residentBytes(service.pid);
    const lanes = 4;
    const part = requests / lanes;
    const answers = await Promise.all(
      Array.from({ length: lanes }, (_, lane) => send(service, 2000 + lane * part, 2000 + (lane + 1) * part)),
    );
    const unknown = await unknownMethods(service, requests / 100);
    const after = await service.scrape();
    const grown = (residentBytes(service.pid) - memory) / 2 ** 20;
    const answered = answers.reduce((sum, n) => sum + n, 0) + unknown;
    const counter = 'flask_app_request_count';
    const scrapes = { endpoint: '/metrics' };
    const counted =
      total(after, counter) -
      total(before, counter) -
      total(after, counter, scrapes) +
      total(before, counter, scrapes);
    const added = seriesOf(after) - seriesOf(before);
    const expected = requests + requests / 100;
    context.check(
      `${expected} requests, each with its own path, method or Host`,
      `${answered} answered, ${counted} counted, ${added} new series, primary +${grown.toFixed(1)} MB`,
      `${expected} answered and counted, 0 new series, ≤ 20 MB`,
      answered === expected && counted === expected && added === 0 && grown <= 20,
    );
    await service.dispose();
  },
};
