import type { ServiceStatus } from '../cluster/control/service-status.js';
import type { WorkerStatus } from '../metrics/worker-status.js';

/** Seconds without a message after which a worker is shown as silent: it sends one every second. */
const SILENT_SECONDS = 3;

type Paint = (text: string, colour: keyof typeof COLOURS) => string;
const COLOURS = { bold: 1, red: 31, green: 32, yellow: 33 } as const;

interface Column {
  readonly title: string;
  readonly width: number;
  readonly text: (worker: WorkerStatus) => string;
}

const COLUMNS: readonly Column[] = [
  { title: 'WORKER', width: 6, text: ({ worker }) => String(worker) },
  { title: 'PID', width: 8, text: ({ pid }) => String(pid ?? '-') },
  { title: 'STATE', width: 10, text: (worker) => stateOf(worker) },
  { title: 'AGE', width: 7, text: ({ ageSeconds }) => duration(ageSeconds) },
  { title: 'REQ/S', width: 8, text: ({ requestsPerSecond }) => shown(requestsPerSecond, rate) },
  { title: 'P99', width: 8, text: ({ p99Seconds }) => shown(p99Seconds, seconds) },
  { title: 'CPU', width: 6, text: ({ cpu }) => shown(cpu, (share) => `${Math.round(100 * share)}%`) },
  {
    title: 'RSS',
    width: 8,
    text: ({ rssBytes }) => shown(rssBytes, (bytes) => `${Math.round(bytes / 2 ** 20)}MB`),
  },
  { title: 'DELAY', width: 8, text: ({ eventLoopDelaySeconds }) => shown(eventLoopDelaySeconds, seconds) },
  { title: 'RESTARTS', width: 9, text: ({ restarts }) => String(restarts ?? '-') },
];

/** Shows the service and its workers as lines of at most 80 columns. */
export function statusTable(status: ServiceStatus, coloured: boolean): string {
  const paint: Paint = (text, colour) => (coloured ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text);
  const { url, pid, uptimeSeconds, wanted, workers, exits } = status;
  const ready = workers.filter(({ state }) => state === 'ready').length;
  const ended = Object.entries(exits ?? {}).flatMap(([reason, times]) =>
    times > 0 ? [`${times} ${reason}`] : [],
  );
  const readiness = `${ready} of ${wanted} ready`;
  return [
    paint(url ?? 'starting', 'bold'),
    `pid ${pid}, up ${duration(uptimeSeconds)}, ${ready < wanted ? paint(readiness, 'red') : readiness}`,
    ...(exits ? [`ended: ${ended.join(', ') || 'none'}`] : []),
    '',
    paint(COLUMNS.map(({ title, width }) => title.padStart(width)).join(''), 'bold'),
    ...workers.map((worker) => rowOf(worker, paint)),
  ].join('\n');
}

function rowOf(worker: WorkerStatus, paint: Paint): string {
  const colour = isSilent(worker) ? 'red' : worker.state === 'ready' ? 'green' : 'yellow';
  return COLUMNS.map(({ title, width, text }) => {
    const cell = text(worker).padStart(width);
    return title === 'STATE' ? paint(cell, colour) : cell;
  }).join('');
}

function stateOf(worker: WorkerStatus): string {
  return isSilent(worker) ? 'silent' : worker.state;
}

function isSilent({ state, silentSeconds }: WorkerStatus): boolean {
  return state !== 'starting' && silentSeconds > SILENT_SECONDS;
}

function shown(value: number | undefined, text: (value: number) => string): string {
  return value === undefined ? '-' : text(value);
}

function rate(perSecond: number): string {
  return perSecond < 100 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

function seconds(value: number): string {
  if (value >= 1) return `${value.toFixed(1)}s`;
  return `${(1_000 * value).toFixed(value < 0.1 ? 1 : 0)}ms`;
}

/** Writes a number of seconds in its two largest units. */
export function duration(total: number): string {
  const [s, m, h, d] = [total % 60, (total / 60) % 60, (total / 3_600) % 24, total / 86_400].map(Math.floor);
  if (d) return `${d}d${h}h`;
  if (h) return `${h}h${m}m`;
  return m ? `${m}m${s}s` : `${s}s`;
}
