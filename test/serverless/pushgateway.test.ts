import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pushgateway, type PushgatewayOptions } from '../../src/serverless/pushgateway';

interface Push {
  method: string | undefined;
  path: string | undefined;
  authorization: string | undefined;
  body: string;
}

let server: Server;
let url: string;
let pushes: Push[];
/** The status of the gateway's answer; undefined if it does not answer. */
let status: number | undefined;

beforeEach(async () => {
  pushes = [];
  status = 200;
  server = createServer((req, res) => {
    void (async () => {
      const body = await read(req);
      pushes.push({ method: req.method, path: req.url, authorization: req.headers.authorization, body });
      if (status !== undefined) res.writeHead(status).end();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has no other
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function read(req: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of req) body += String(chunk);
  return body;
}

function gateway(options: Partial<PushgatewayOptions> = {}) {
  const errors: string[] = [];
  const pushgateway = new Pushgateway({
    url,
    job: 'shop',
    instance: 'a b',
    gather: () => Promise.resolve(Buffer.from('up 1\n')),
    onError: (err) => errors.push(err.message),
    ...options,
  });
  return { pushgateway, errors };
}

test('puts the exposition into the group of the job and the instance', async () => {
  const { pushgateway, errors } = gateway();
  await pushgateway.push();
  const path = '/metrics/job/shop/instance/a%20b';
  expect(pushes).toEqual([{ method: 'PUT', path, authorization: undefined, body: 'up 1\n' }]);
  expect(errors).toEqual([]);
});

test('keeps the path and the credentials of the address', async () => {
  await gateway({ url: `${url.replace('//', '//me:s%40cret@')}/gateway` }).pushgateway.push();
  const authorization = `Basic ${Buffer.from('me:s@cret').toString('base64')}`;
  expect(pushes[0]).toMatchObject({ path: '/gateway/metrics/job/shop/instance/a%20b', authorization });
});

test('pushes that are asked for while one runs share the next, which has what was counted until then', async () => {
  let count = 0;
  let pushgateway!: Pushgateway;
  let first: Promise<void> = Promise.resolve();
  await new Promise<void>((gathered) => {
    const gather = () => {
      gathered();
      return Promise.resolve(Buffer.from(`count ${count++}\n`));
    };
    pushgateway = gateway({ gather }).pushgateway;
    first = pushgateway.push();
  });
  await Promise.all([first, pushgateway.push(), pushgateway.push(), pushgateway.push()]);
  expect(pushes.map(({ body }) => body)).toEqual(['count 0\n', 'count 1\n']);
});

test.each([
  ['refuses', 400, /answered 400/],
  ['does not answer in time', undefined, /no answer within 100 ms/],
])('resolves when the gateway %s, says so once, and then leaves it alone', async (_how, answer, message) => {
  status = answer;
  const { pushgateway, errors } = gateway({ timeoutMs: 100 });
  await pushgateway.push();
  await pushgateway.push();
  expect(pushes).toHaveLength(1);
  expect(errors).toEqual([expect.stringMatching(message)]);
});

test('tries again after the rest, and reports the next run of failures', async () => {
  status = 500;
  const { pushgateway, errors } = gateway({ restMs: 0 });
  await pushgateway.push();
  await pushgateway.push();
  status = 200;
  await pushgateway.push();
  status = 500;
  await pushgateway.push();
  expect(pushes).toHaveLength(4);
  expect(errors).toHaveLength(2);
});

test('resolves when there is no gateway', async () => {
  await new Promise((resolve) => server.close(resolve));
  const { pushgateway, errors } = gateway();
  await expect(pushgateway.push()).resolves.toBeUndefined();
  expect(errors).toHaveLength(1);
});
