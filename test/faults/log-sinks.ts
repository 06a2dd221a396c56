import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { total } from '../support/exposition';
import { eventually } from '../support/eventually';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';

/** The number of requests, whose lines are more than fit into a pipe and the queue behind it. */
const requests = 2000;
const atOnce = 20;

/** A log that cannot be written: a full disk, a pipe that nobody empties, a pipe whose reader has gone. */
export const logSinks: FaultCase = {
  id: 'log-sinks',
  async run(context: Context) {
    const folder = mkdtempSync(join(tmpdir(), 'faults-log-'));
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const stuck = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      await failingLog(context, 'a full disk', '> /dev/full');
      await failingLog(context, 'a pipe that nobody empties', `> ${pipe}`);
      await failingLog(context, 'a pipe whose reader has gone', '| true');
    } finally {
      closeSync(stuck);
      rmSync(folder, { recursive: true });
    }
  },
};

async function failingLog(context: Context, what: string, redirection: string): Promise<void> {
  // A shell that is not the service's own process could be asked for its pid only.
  const shell = redirection.startsWith('|')
    ? `exec "$0" "$@" > >(exec true)`
    : `exec "$0" "$@" ${redirection}`;
  const service = await context.faulty({}, { command: ['bash', '-c', shell, process.execPath] });
  const workers = service.workers().join();
  let answered = 0;
  for (let n = 0; n < requests; n += atOnce) {
    const answers = await Promise.all(Array.from({ length: atOnce }, () => service.get('/throw')));
    answered += answers.filter(({ status }) => status === 500).length;
  }
  const lost = await linesLost(service);
  const same = service.workers().join() === workers;
  const at = performance.now();
  const exit = await service.stop().catch(() => undefined);
  context.check(
    `${requests} requests that are logged, the log on ${what}`,
    `${answered} answered, workers ${same ? 'stayed' : 'went'}, ${lost} lines lost, SIGTERM: exit ${exit?.code ?? 'none'} after ${(performance.now() - at).toFixed(0)} ms`,
    `${requests} answered, they stay, lines are lost, exit 0`,
    answered === requests && same && lost > 0 && exit?.code === 0,
  );
  await service.dispose();
}

/** Returns the number of lost lines, once the service has had time to hear of its workers. */
async function linesLost(service: Service): Promise<number> {
  let lost = 0;
  await eventually('lines are lost', 5000, async () => {
    lost = total(await service.scrape(), 'flask_app_log_lines_lost_total');
    return lost > 0;
  }).catch(() => undefined);
  return lost;
}
