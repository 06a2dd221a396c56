import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { parseExposition } from '../support/exposition';
import { freePort } from '../support/service';

const ROOT = resolve(__dirname, '../..');
const event: object = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/events/apigateway-v2.json'), 'utf8'));

let folder: string;
let gateway: ChildProcess;
let url: string;
const instances: ChildProcess[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pushgateway-'));
});

beforeEach(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  gateway = await startGateway(port);
});

afterEach(() => {
  for (const child of [gateway, ...instances.splice(0)]) child.kill('SIGKILL');
});

afterAll(() => rmSync(folder, { recursive: true }));

async function startGateway(port: number): Promise<ChildProcess> {
  const flags = [
    `--web.listen-address=127.0.0.1:${port}`,
    `--persistence.file=${join(folder, String(port))}`,
  ];
  const child = spawn('prometheus-pushgateway', flags, { stdio: 'ignore' });
  await eventually('the Pushgateway is ready', 10_000, async () => {
    if (child.exitCode !== null) throw new Error(`the Pushgateway has ended: ${child.exitCode}`);
    return (await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => undefined))?.ok;
  });
  return child;
}

/** A function instance: a process that loads the handler as Lambda does, and handles what it is sent. */
function instance(): {
  invoke: (path: string) => Promise<{ statusCode: number; ms: number }>;
  log: () => string;
} {
  const child = spawn(process.execPath, [join(ROOT, 'test/fixtures/lambda-instance.js')], {
    env: { PATH: process.env['PATH'], PUSHGATEWAY_URL: url, AWS_LAMBDA_FUNCTION_NAME: 'greeter' },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  instances.push(child);
  let log = '';
  child.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const invoke = async (path: string) => {
    child.send({ ...event, rawPath: `/prod${path}` });
    const [answer]: { statusCode: number; ms: number }[] = await once(child, 'message');
    if (!answer) throw new Error('no answer');
    return answer;
  };
  return { invoke, log: () => log };
}

async function pushed() {
  return parseExposition(await (await fetch(`${url}/metrics`)).text());
}

test('every instance has a group of its own, with all that it has answered', async () => {
  const [one, other] = [instance(), instance()];
  await one.invoke('/');
  await one.invoke('/hello/you');
  await one.invoke('/hello/me');
  await other.invoke('/hello/you');
  const samples = (await pushed()).get('flask_app_request_count')?.samples ?? [];
  // Series without a request are pushed at 0.
  const counted = samples.filter(({ value }) => value > 0);
  expect(counted.length).toBeLessThan(samples.length);
  const counts = counted.map(({ labels, value }) => `${labels['job']} ${labels['endpoint']} ${value}`);
  expect(counts.toSorted((a, b) => a.localeCompare(b))).toEqual([
    'greeter / 1',
    'greeter /hello/{name} 1',
    'greeter /hello/{name} 2',
  ]);
  expect(new Set(samples.map(({ labels }) => labels['instance'])).size).toBe(2);
});

test('requests are answered while the gateway hangs or is gone, and what was missed is pushed when it is back', async () => {
  const { invoke, log } = instance();
  await invoke('/');
  gateway.kill('SIGSTOP');
  const hanging = await invoke('/');
  expect(hanging.statusCode).toBe(200);
  // The wait is bounded by 500 ms; the rest is room for a busy machine.
  expect(hanging.ms).toBeLessThan(2_000);
  const resting = await invoke('/');
  expect(resting.ms).toBeLessThan(400);
  gateway.kill('SIGKILL');
  await once(gateway, 'exit');
  expect((await invoke('/')).statusCode).toBe(200);
  gateway = await startGateway(Number(new URL(url).port));
  // A gateway that failed is left alone for ten seconds.
  const answered = await eventually('the counts are pushed', 20_000, async () => {
    await invoke('/metrics');
    const samples = (await pushed()).get('flask_app_request_count')?.samples ?? [];
    return samples.find(({ labels, value }) => labels['endpoint'] === '/' && value > 0)?.value;
  });
  expect(answered).toBe(4);
  expect(log().match(/Metrics cannot be pushed/g)).toHaveLength(1);
});
