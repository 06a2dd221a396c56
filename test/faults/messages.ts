import { setTimeout as delay } from 'node:timers/promises';
import { total } from '../support/exposition';
import { Load, failed } from '../support/load-client';
import { residentBytes } from '../support/processes';
import type { Context, FaultCase } from './context';

/** A worker that sends its primary what no worker would. */
export const fuzzedMessages: FaultCase = {
  id: 'fuzzed-messages',
  async run(context: Context) {
    const service = await context.faulty();
    const scraper = context.scraper(service);
    const load = new Load({ port: service.port, rate: 200, connections: 10 });
    const times = context.times(10, 4);
    const memory = residentBytes(service.pid);
    for (let n = 0; n < times; n += 1) {
      const { status } = await service.get('/ipc');
      if (status !== 200) throw new Error(`/ipc answered ${status}`);
      await delay(100);
    }
    const report = await load.stop();
    await scraper.stop();
    const families = await service.scrape();
    const counter = 'flask_app_request_count';
    const counted = total(families, counter, { endpoint: '/', method: 'GET', http_status: '200' });
    const sent = total(families, counter, { endpoint: '/ipc' });
    const grown = (residentBytes(service.pid) - memory) / 2 ** 20;
    context.check(
      `35 messages × ${times}: null, strings, 10 MB, __proto__, false snapshots`,
      `primary ${service.exit === undefined ? 'alive' : 'dead'}, ${service.workers().length} workers, +${grown.toFixed(0)} MB`,
      'alive, 2 workers',
      service.exit === undefined && service.workers().length === 2,
    );
    context.check(
      'counts meanwhile',
      `${failed(report)} failed, counted − answered = ${counted - report.outcomes.answered}, ${sent} of /ipc`,
      `0 failed, 0, ${times}`,
      failed(report) === 0 && counted === report.outcomes.answered && sent === times,
    );
    await service.dispose();
  },
};
