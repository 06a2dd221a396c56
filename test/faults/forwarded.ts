import { type Answer } from '../support/answer-parser';
import { request } from '../support/exchange';
import { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const forwarded = {
  'X-Forwarded-For': '203.0.113.7, 10.0.0.1',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Proto': 'https',
  Forwarded: 'for=203.0.113.7;host=evil.example;proto=https',
  'X-Real-IP': '203.0.113.7',
};
const hosts = ['evil.example', '127.0.0.1:1', '[::1]:80', '_', 'a'.repeat(255), 'xn--nxasmq6b', '%00', '0'];
const paths = ['/', '/none', '/docs', '/docs/', '/openapi.json', '/openapi.yaml', '/livez'];

/** Returns an answer without the parts that differ from request to request. */
function essence({ status, headers, body }: Answer): string {
  const kept = [...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id');
  const text = body.toString().replace(/"(instance|requestId)":"[^"]*"/g, '');
  return JSON.stringify([status, kept.map((field) => field.join(': ')).toSorted(), text]);
}

async function whoami(context: Context, trust: string): Promise<string> {
  const service = await context.faulty({ TRUST_PROXY: trust });
  const { body } = await service.get('/whoami', { headers: forwarded });
  const message: unknown = JSON.parse(body.toString());
  await service.dispose();
  return message !== null && typeof message === 'object' && 'message' in message
    ? String(message.message)
    : '';
}

/** Headers by which a client says that it is somebody else. */
export const forwardedHeaders: FaultCase = {
  id: 'forwarded-headers',
  async run(context: Context) {
    const service = await Service.start();
    const changed: string[] = [];
    for (const path of paths) {
      const plain = essence(await request(service.port, path));
      if (essence(await request(service.port, path, { headers: forwarded })) !== plain)
        changed.push(`${path} by X-Forwarded-*`);
      for (const host of hosts)
        if (essence(await request(service.port, path, { headers: { Host: host } })) !== plain)
          changed.push(`${path} by Host ${host.slice(0, 20)}`);
    }
    context.check(
      `X-Forwarded-* and ${hosts.length} Hosts on ${paths.length} paths`,
      `${changed.length} answers changed ${changed.slice(0, 5).join('; ')}`,
      '0',
      changed.length === 0,
    );
    await service.dispose();
    const [off, on] = [await whoami(context, 'off'), await whoami(context, '2')];
    context.check(
      'what a handler sees without TRUST_PROXY',
      off,
      'nothing of it',
      off !== '' && !/203\.0\.113\.7|evil|https/.test(off),
    );
    context.check(
      'what a handler sees with it',
      on,
      'the client, the host, the protocol',
      ['203.0.113.7', 'evil.example', 'https'].every((part) => on.includes(part)),
    );
  },
};
