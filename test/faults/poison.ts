import { setTimeout as delay } from 'node:timers/promises';
import { Load } from '../support/load-client';
import type { Context, FaultCase } from './context';

const workers = 2;
const everyMs = 5000;

/** A request that ends its worker at once, again and again, beside others. */
export const endingRequest: FaultCase = {
  id: 'ending-request',
  async run(context: Context) {
    const seconds = context.times(60, 20);
    const service = await context.faulty({ WEB_CONCURRENCY: String(workers) });
    const scraper = context.scraper(service);
    const others = new Load({ port: service.port, rate: 100, connections: 'each' });
    const sent = Math.floor((seconds * 1000) / everyMs);
    for (let n = 0; n < sent; n += 1) {
      void service.get('/abort', { headers: { 'X-Request-Id': `poison-${n}` } }).catch(() => undefined);
      await delay(everyMs);
    }
    const { sent: asked, outcomes } = await others.stop();
    const share = (100 * outcomes.answered) / asked;
    // If a worker takes as long to boot as the next one lasts, nobody can answer.
    context.checkSpeed(
      `a request that aborts its worker every ${everyMs / 1000} s for ${seconds} s, ${workers} workers`,
      `${share.toFixed(2)} % of the others answered`,
      '≥ 95 %',
      share >= 95,
    );
    const told = Array.from({ length: sent }, (_, n) => service.stdout.includes(`"requestId":"poison-${n}"`));
    const named = told.filter(Boolean).length;
    context.check('requests that the log names', String(named), String(sent), named === sent);
    await scraper.stop();
    await service.dispose();
  },
};
