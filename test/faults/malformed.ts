import { type ExchangeOptions, type Exchange, rawExchange } from '../support/exchange';
import { total } from '../support/exposition';
import { Service } from '../support/service';
import type { Context, FaultCase } from './context';
import { type Shape, malformedShapes, smugglingShapes } from './shapes';

const counter = 'flask_app_request_count';

/** Counts all requests but the scrapes, and those of them that are counted as malformed. */
async function counts(service: Service): Promise<{ all: number; malformed: number }> {
  const families = await service.scrape();
  const scrapes = total(families, counter, { endpoint: '/metrics' });
  return {
    all: total(families, counter) - scrapes,
    malformed: total(families, counter, { endpoint: 'malformed' }),
  };
}

interface Verdict {
  readonly shape: Shape;
  readonly complaint: string | undefined;
}

async function verdict(service: Service, shape: Shape): Promise<Verdict> {
  const before = await counts(service);
  const allowed = shape.answers.map((sequence) => sequence.join(' '));
  const options: ExchangeOptions = {
    deadlineMs: 3000,
    methods: shape.methods ?? [],
    // If the connection may stay open, half-closing tells the service that nothing more comes.
    ...(shape.staysOpen === true ? { parts: [], end: true } : {}),
  };
  const exchange = await rawExchange(service.port, shape.bytes, options);
  const statuses = exchange.answers.map(({ status }) => status).join(' ');
  const after = await counts(service);
  const counted = after.all - before.all;
  const malformed = after.malformed - before.malformed;
  const complaints = [
    allowed.includes(statuses) ? '' : `answered "${statuses}", not ${allowed.join(' or ')}`,
    counted === exchange.answers.length ? '' : `${counted} counts for ${exchange.answers.length} answers`,
    shape.malformed === undefined || malformed === shape.malformed ? '' : `${malformed} counts as malformed`,
    exchange.malformed === undefined ? '' : exchange.malformed,
    exchange.closedAfterMs === undefined ? 'still open after 3 s' : '',
  ].filter((line) => line !== '');
  return { shape, complaint: complaints.length === 0 ? undefined : complaints.join(', ') };
}

async function checkShapes(
  context: Context,
  what: string,
  bar: string,
  shapes: readonly Shape[],
): Promise<void> {
  const service = await Service.start();
  const verdicts: Verdict[] = [];
  for (const shape of shapes) verdicts.push(await verdict(service, shape));
  const wrong = verdicts.filter(({ complaint }) => complaint !== undefined);
  for (const { shape, complaint } of wrong) console.log(`       ${shape.name}: ${complaint}`);
  const names = wrong.map(({ shape }) => shape.name).join('; ');
  context.check(`${shapes.length} ${what}`, `${wrong.length} wrong ${names}`, bar, wrong.length === 0);
  await service.dispose();
}

/** Sends bytes that are not HTTP, or not for this service. */
export const malformedRequests: FaultCase = {
  id: 'malformed-requests',
  run: (context) =>
    checkShapes(
      context,
      'malformed requests',
      "each its RFC's status, one count, closed in 3 s",
      malformedShapes,
    ),
};

/** Bytes that two parsers could read differently. */
export const smuggling: FaultCase = {
  id: 'smuggling',
  run: (context) =>
    checkShapes(
      context,
      'smuggling shapes',
      '400 or the right number of answers, each counted once',
      smugglingShapes,
    ),
};

interface Slow {
  readonly name: string;
  readonly endpoint: string;
  readonly limitMs: number;
  readonly bytes: string;
  /** Sent one after the other, a second apart. */
  readonly drops: readonly string[];
}

const slowKinds: readonly Slow[] = [
  { name: 'a connection that sends nothing', endpoint: 'malformed', limitMs: 10_000, bytes: '', drops: [] },
  {
    name: 'a header line every second',
    endpoint: 'malformed',
    limitMs: 10_000,
    bytes: 'GET / HTTP/1.1\r\nHost: x\r\n',
    drops: Array.from({ length: 30 }, (_, n) => `X-${n}: y\r\n`),
  },
  {
    name: 'a body byte every second',
    endpoint: '/echo',
    limitMs: 30_000,
    bytes: 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n',
    drops: Array.from({ length: 60 }, () => ' '),
  },
];

async function slow(context: Context, kind: Slow): Promise<void> {
  const service = await Service.start({ env: { WEB_CONCURRENCY: '1' } });
  const labels = { endpoint: kind.endpoint, http_status: '408' };
  const parts = kind.drops.map((bytes) => ({ afterMs: 1000, bytes }));
  const exchange: Exchange = await rawExchange(service.port, kind.bytes, {
    parts,
    deadlineMs: kind.limitMs + 5000,
  });
  const statuses = exchange.answers.map(({ status }) => status).join(' ');
  const counted = total(await service.scrape(), counter, labels);
  const seconds = exchange.closedAfterMs === undefined ? 'never' : (exchange.closedAfterMs / 1000).toFixed(1);
  context.check(
    kind.name,
    `"${statuses}", closed after ${seconds} s, ${counted} counted under ${kind.endpoint}`,
    `408 within ${kind.limitMs / 1000 + 3} s, 1 count`,
    statuses === '408' && counted === 1 && (exchange.closedAfterMs ?? Infinity) <= kind.limitMs + 3000,
  );
  await service.dispose();
}

/** Requests that take their time to arrive. */
export const slowRequests: FaultCase = {
  id: 'slow-requests',
  background: true,
  async run(context: Context) {
    await Promise.all(slowKinds.map((kind) => slow(context, kind)));
  },
};
