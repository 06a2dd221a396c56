import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { disposeAll, Service } from '../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');
const CLIENTS = 100;
const LIMIT_MS = 100;
const LASTS_MS = 8_000;

jest.setTimeout(120_000);
afterEach(() => disposeAll());

interface Answered {
  readonly status: number;
  readonly ms: number;
  readonly text: string;
}

/**
 * Runs a client that asks again on one connection as soon as it is answered. It must be
 * cheap, or it would measure itself.
 */
function askAgainAndAgain(port: number, path: string, answers: Answered[]): Promise<unknown> {
  const until = performance.now() + LASTS_MS;
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let began = 0;
  const ask = () => {
    began = performance.now();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  };
  socket.on('connect', ask).on('data', (text: string) => {
    answers.push({ status: Number(text.slice(9, 12)), ms: performance.now() - began, text });
    if (performance.now() < until) ask();
    else socket.end();
  });
  return once(socket, 'close');
}

async function timed(service: Service, path: string): Promise<{ status: number; ms: number }> {
  const began = performance.now();
  const { status } = await service.get(path);
  return { status, ms: performance.now() - began };
}

const p90 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(0.9 * values.length)] ?? NaN;

test('a service with too much to do refuses some, answers the others soon, and is healthy and scraped', async () => {
  const env = { WEB_CONCURRENCY: '1', MAX_EVENT_LOOP_DELAY_MS: String(LIMIT_MS) };
  const service = await Service.start({ program: FIXTURE, env });
  const answers: Answered[] = [];
  const clients = Array.from({ length: CLIENTS }, () => askAgainAndAgain(service.port, '/burn', answers));
  await eventually('the load is on', 20_000, () => answers.length > 10 * CLIENTS);
  const [health, scrape] = [await timed(service, '/livez'), await timed(service, '/metrics')];
  await Promise.all(clients);
  const accepted = answers.filter(({ status }) => status === 200);
  const shed = answers.filter(({ status }) => status === 503);
  expect(accepted.length + shed.length).toBe(answers.length);
  expect(shed.every(({ text }) => /\r\nRetry-After: 1\r\n/.test(text))).toBe(true);
  expect(accepted.length).toBeGreaterThan((0.1 * LASTS_MS) / 20);
  // Of 100 clients each would wait for 2 s if none were refused. The slowest are those of a pause of the machine.
  expect(p90(accepted.map(({ ms }) => ms))).toBeLessThan(5 * LIMIT_MS);
  expect([health.status, scrape.status]).toEqual([200, 200]);
  expect(health.ms).toBeLessThan(1_000);
  expect(scrape.ms).toBeLessThan(2_000);
  const metrics = await service.scrape();
  expect(total(metrics, 'flask_app_requests_shed_total')).toBe(shed.length);
  const counted = (http_status: string) =>
    total(metrics, 'flask_app_request_count', { endpoint: '/burn', http_status });
  expect([counted('200'), counted('503')]).toEqual([accepted.length, shed.length]);
});
