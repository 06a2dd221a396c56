import { createLog } from '../../../src/log';
import type { RequestInFlight } from '../../../src/metrics/ledger/requests-in-flight';
import type { PrimaryMessage, WorkerMessage } from '../../../src/cluster/messages';
import { Supervisor } from '../../../src/cluster/supervision/supervisor';

const TIMEOUT_MS = 4_000;

/** A supervisor over workers that only note what is done to them, in a time that is moved by hand. */
class Bench {
  now = 1_000;
  readonly told = new Map<number, string[]>();
  readonly killed: number[] = [];
  /** The workers that were forked to load their code and wait. */
  readonly waiting: number[] = [];
  readonly exits: string[] = [];
  readonly logged: string[] = [];
  /** Milliseconds that a worker has waited for a processor, and the requests that it leaves in flight. */
  waited = 0;
  inFlight: readonly RequestInFlight[] = [];
  ready: string | undefined;
  end: { code: number; message: string | undefined } | undefined;
  readonly supervisor: Supervisor;

  constructor(concurrency: number, bootsAtOnce = 100) {
    this.supervisor = new Supervisor({
      concurrency,
      bootsAtOnce,
      workerTimeoutMs: TIMEOUT_MS,
      shutdownDelayMs: 500,
      shutdownTimeoutMs: 10_000,
      log: createLog('info', { write: (line) => void this.logged.push(line) }),
      fork: (generation, isWaiting) => this.#fork(generation, isWaiting),
      onReady: (address, port) => (this.ready = `${address}:${port}`),
      onExit: (reason) => this.exits.push(reason),
      onLinesLost: () => {},
      onEnd: (code, message) => (this.end = { code, message }),
    });
    this.step();
  }

  #fork(generation: number, isWaiting: boolean) {
    const told: string[] = [];
    if (isWaiting) this.waiting.push(generation);
    this.told.set(generation, told);
    return {
      pid: generation,
      waitedForProcessor: () => this.waited,
      inFlight: () => this.inFlight,
      send: (message: PrimaryMessage) => void told.push(message.type),
      give: () => void told.push('connection'),
      kill: () => void this.killed.push(generation),
    };
  }

  get forked(): number[] {
    return [...this.told.keys()];
  }

  step(ms = 0): this {
    this.now += ms;
    this.supervisor.step(this.now);
    return this;
  }

  /** Lets time pass as the real clock does: in steps when they are due, while the workers give signs of life. */
  pass(ms: number, alive: readonly number[] = this.forked): this {
    for (const until = this.now + ms; this.now < until;) {
      for (const generation of alive) this.say(generation, { type: 'heartbeat' });
      const due = this.supervisor.step(this.now);
      this.now = Math.min(until, Math.max(due, this.now + 1));
    }
    return this.step();
  }

  say(generation: number, message: WorkerMessage): this {
    this.supervisor.enqueue({ type: 'message', generation, message });
    return this;
  }

  getsReady(...generations: number[]): this {
    for (const generation of generations) this.say(generation, { type: 'ready', address: '::', port: 80 });
    return this.step();
  }

  exitsWith(generation: number, code: number | null, signal: string | null = null): this {
    this.supervisor.enqueue({ type: 'exit', generation, code, signal });
    return this.step();
  }

  drains(generation: number): boolean {
    return this.told.get(generation)?.includes('drain') ?? false;
  }
}

/** A service at full strength. */
const running = (concurrency: number): Bench => {
  const bench = new Bench(concurrency).getsReady(1);
  return bench.getsReady(...bench.forked.slice(1)).pass(15_000);
};

const stopping = (bench: Bench): Bench => {
  bench.supervisor.enqueue({ type: 'stop' });
  return bench.step();
};

describe('start', () => {
  test('one worker shows that the service can start while the next one loads its code, then the others follow', () => {
    const bench = new Bench(4);
    expect(bench.forked).toEqual([1, 2]);
    expect(bench.waiting).toEqual([2]);
    expect(bench.pass(1_000).forked).toEqual([1, 2]);
    expect(bench.say(2, { type: 'waiting' }).step().told.get(2)).toEqual([]);
    expect(bench.getsReady(1).forked).toEqual([1, 2, 3, 4]);
    expect(bench.waiting).toEqual([2]);
    expect([1, 2, 3, 4].map((generation) => bench.told.get(generation))).toEqual([[], ['begin'], [], []]);
    expect(bench.ready).toBeUndefined();
    expect(bench.supervisor.count()).toEqual({ starting: 3, ready: 1, draining: 0 });
    bench.getsReady(2, 3, 4);
    expect(bench.ready).toBe(':::80');
  });

  test('a worker that still loads its code when the first one is ready is told to begin when it can hear that', () => {
    const bench = new Bench(2).getsReady(1);
    expect(bench.pass(100).told.get(2)).toEqual([]);
    expect(bench.say(2, { type: 'waiting' }).step().told.get(2)).toEqual(['begin']);
  });

  test('the time in which a worker waits for the first one does not count against it', () => {
    const bench = new Bench(2).pass(TIMEOUT_MS - 300).getsReady(1);
    expect(bench.pass(TIMEOUT_MS - 300, [1]).killed).toEqual([]);
    expect(bench.pass(600, [1]).killed).toEqual([2]);
  });

  test('no more workers boot at a time than the host has processors for', () => {
    const bench = new Bench(8, 2).getsReady(1);
    expect(bench.forked).toEqual([1, 2, 3]);
    expect(bench.pass(1_000, []).forked).toEqual([1, 2, 3]);
    expect(bench.getsReady(3).forked).toEqual([1, 2, 3, 4]);
    expect(bench.getsReady(2, 4).forked).toEqual([1, 2, 3, 4, 5, 6]);
    expect(new Bench(8, 1).forked).toEqual([1]);
  });

  test('the time that a booting worker waits for a processor does not count against it', () => {
    const bench = new Bench(1);
    for (bench.waited = 0; bench.waited < 5 * TIMEOUT_MS; bench.waited += 240) bench.pass(250, []);
    expect(bench.killed).toEqual([]);
    expect(bench.pass(TIMEOUT_MS + 300, []).killed).toEqual([1]);
  });

  test('a service that cannot start costs two forks, and ends with the reason of the first', () => {
    const bench = new Bench(3).say(1, { type: 'boot-failed', message: 'Port 80 is taken' }).exitsWith(1, 1);
    expect(bench.end).toEqual({ code: 1, message: 'Port 80 is taken' });
    expect(bench.killed).toEqual([2]);
    expect(bench.exitsWith(2, null, 'SIGKILL').pass(60_000).forked).toEqual([1, 2]);
    expect(bench.told.get(2)).toEqual([]);
    expect(bench.end).toEqual({ code: 1, message: 'Port 80 is taken' });
    expect(bench.logged).toEqual([]);
  });

  test('a first worker that is never ready is ended, and the service with it', () => {
    const bench = new Bench(3).pass(TIMEOUT_MS - 1);
    expect(bench.killed).toEqual([]);
    expect(bench.pass(300).killed).toEqual([1]);
    expect(bench.exitsWith(1, null, 'SIGKILL').end).toEqual({
      code: 1,
      message: expect.stringContaining('not ready within 4000 ms'),
    });
  });
});

describe('replacement', () => {
  test('stable workers that die are replaced at once, all of them', () => {
    const bench = running(3);
    bench.supervisor.enqueue({ type: 'exit', generation: 1, code: null, signal: 'SIGKILL' });
    bench.exitsWith(2, 1);
    expect(bench.forked).toEqual([1, 2, 3, 4, 5]);
    expect(bench.exits).toEqual(['killed', 'crashed']);
  });

  test('a worker that was never ready counts as a failed boot, whatever ended it', () => {
    const bench = running(2).exitsWith(1, 0);
    expect(bench.exitsWith(3, null, 'SIGSEGV').exits).toEqual(['crashed', 'boot_failed']);
  });

  test.each([
    [null, 'SIGKILL', 'killed'],
    [null, 'SIGTERM', 'killed'],
    [null, 'SIGABRT', 'crashed'],
    [null, 'SIGSEGV', 'crashed'],
    [0, null, 'crashed'],
    [3, null, 'crashed'],
  ])('an exit with code %s and signal %s counts as %s', (code, signal, reason) => {
    expect(running(2).exitsWith(2, code, signal).exits).toEqual([reason]);
  });

  test('a service that was up never gives up, and says what it waits for', () => {
    const bench = running(1).exitsWith(1, 1);
    for (let generation = 2; generation < 20; generation++) {
      expect(bench.forked.at(-1)).toBe(generation);
      bench
        .say(generation, { type: 'boot-failed', message: 'no database' })
        .exitsWith(generation, 1)
        .pass(40_000);
    }
    expect(bench.end).toBeUndefined();
    expect(bench.logged.join('')).toContain('Workers end too soon');
    expect(bench.logged.join('')).toContain('no database');
  });

  test('a worker keeps the timeout with which it started, which its heartbeats follow', () => {
    const bench = running(1);
    const { supervisor } = bench;
    supervisor.configure({
      concurrency: 1,
      workerTimeoutMs: 200,
      shutdownDelayMs: 0,
      shutdownTimeoutMs: 10_000,
    });
    bench.pass(TIMEOUT_MS - 500, []);
    expect(bench.killed).toEqual([]);
  });

  test('a silent worker is killed after the timeout, counted as hung and replaced', () => {
    const bench = running(2).pass(TIMEOUT_MS - 260, [1]);
    expect(bench.killed).toEqual([]);
    expect(bench.pass(520, [1]).killed).toEqual([2]);
    expect(bench.exitsWith(2, null, 'SIGKILL').exits).toEqual(['hung']);
    expect(bench.forked).toEqual([1, 2, 3]);
  });

  test('after the primary itself was stopped, workers get the time to be heard', () => {
    const bench = running(2).step(60_000);
    // The first worker is heard; the other's heartbeat is still unread.
    bench.say(1, { type: 'heartbeat' }).step(1);
    expect(bench.say(2, { type: 'heartbeat' }).pass(1_000).killed).toEqual([]);
  });

  test('after a stop of the whole host, a worker has its timeout from when the primary goes on', () => {
    const bench = running(2)
      .step(60_000)
      .pass(TIMEOUT_MS - 600, [1]);
    expect(bench.killed).toEqual([]);
    expect(bench.pass(1_200, [1]).killed).toEqual([2]);
  });

  test('a worker that a request ends is replaced at once, again and again, and the log says which request it was', () => {
    const bench = running(2);
    bench.inFlight = [{ method: 'GET', endpoint: '/poison', requestId: 'abc', ms: 3 }];
    for (let generation = 1; generation < 30; generation++) {
      bench.exitsWith(generation, null, 'SIGABRT');
      expect(bench.forked).toHaveLength(generation + 2);
      bench.getsReady(generation + 2).pass(1_000);
    }
    expect(bench.logged.join('')).toContain(
      '"inFlight":[{"method":"GET","endpoint":"/poison","requestId":"abc","ms":3}]',
    );
    expect(bench.logged.join('')).not.toContain('too soon');
  });
});

describe('a worker with an uncaught exception', () => {
  test('serves on until its replacement is ready, then drains and counts as crashed', () => {
    const bench = running(2).say(1, { type: 'failing', message: 'oops' }).step();
    expect(bench.forked).toEqual([1, 2, 3]);
    expect(bench.pass(500).drains(1)).toBe(false);
    expect(bench.getsReady(3).drains(1)).toBe(true);
    expect(bench.drains(2)).toBe(false);
    expect(bench.exitsWith(1, 0).exits).toEqual(['crashed']);
  });

  test('is replaced with the backoff when they all fail at once, and stays for as long', () => {
    const bench = running(2);
    for (let i = 0; i < 1_000; i++) {
      bench.getsReady(...bench.forked);
      for (const generation of bench.forked) bench.say(generation, { type: 'failing', message: 'poison' });
      for (const generation of bench.forked) {
        if (bench.drains(generation)) bench.exitsWith(generation, 0);
      }
      bench.pass(10);
      expect(bench.supervisor.count().ready).toBeGreaterThanOrEqual(2);
    }
    expect(bench.forked.length).toBe(2 + 6);
    expect(bench.killed).toEqual([]);
  });
});

/** Reloads a service to another number of workers, which is taken back if that fails. */
const reloaded = (before: number, wanted: number): Bench => {
  const bench = running(before);
  const settings = { workerTimeoutMs: TIMEOUT_MS, shutdownDelayMs: 500, shutdownTimeoutMs: 10_000 };
  bench.supervisor.configure({ ...settings, concurrency: wanted });
  const done = () => bench.supervisor.configure({ ...settings, concurrency: before });
  bench.supervisor.enqueue({ type: 'reload', done: (problem) => problem && done() });
  return bench.step();
};

describe('reload', () => {
  test('replaces one worker at a time, each replacement ready before the old one drains', () => {
    const bench = running(2);
    bench.supervisor.enqueue({ type: 'reload' });
    expect(bench.pass(1_000).forked).toEqual([1, 2, 3]);
    expect(bench.drains(1)).toBe(false);
    expect(bench.getsReady(3).drains(1)).toBe(true);
    // The next worker is forked when the old one has ended.
    expect(bench.pass(1_000).forked).toEqual([1, 2, 3]);
    expect(bench.exitsWith(1, 0).step().forked).toEqual([1, 2, 3, 4]);
    bench.getsReady(4).exitsWith(2, 0).pass(1_000);
    expect(bench.forked).toEqual([1, 2, 3, 4]);
    expect(bench.exits).toEqual(['drained', 'drained']);
    expect(bench.logged.at(-1)).toContain('Reloaded');
  });

  test('stops when a replacement does not get ready: the old workers stay', () => {
    const bench = running(2);
    bench.supervisor.enqueue({ type: 'reload' });
    bench.step().say(3, { type: 'boot-failed', message: 'broken build' }).exitsWith(3, 1).pass(60_000);
    expect(bench.forked).toEqual([1, 2, 3]);
    expect([bench.drains(1), bench.drains(2), bench.killed]).toEqual([false, false, []]);
    expect(bench.logged.join('')).toContain('the old workers stay');
  });

  test('stops when a replacement takes longer than the timeout', () => {
    const bench = running(2);
    bench.supervisor.enqueue({ type: 'reload' });
    expect(bench.pass(TIMEOUT_MS + 300).killed).toEqual([3]);
    expect(bench.exitsWith(3, null, 'SIGKILL').pass(60_000).forked).toEqual([1, 2, 3]);
    expect([bench.drains(1), bench.drains(2)]).toEqual([false, false]);
  });

  test('to fewer workers takes none away before a new one is ready', () => {
    const bench = reloaded(4, 2);
    expect(bench.pass(1_000).forked).toEqual([1, 2, 3, 4, 5]);
    expect([1, 2, 3, 4].filter((old) => bench.drains(old))).toEqual([]);
    expect(bench.getsReady(5).drains(1)).toBe(true);
    bench.exitsWith(1, 0).pass(1_000).exitsWith(2, 0).pass(1_000).exitsWith(3, 0).pass(1_000);
    expect(bench.forked).toEqual([1, 2, 3, 4, 5, 6]);
    bench.getsReady(6).exitsWith(4, 0).pass(1_000);
    expect(bench.supervisor.count()).toEqual({ starting: 0, ready: 2, draining: 0 });
    expect(bench.logged.at(-1)).toContain('Reloaded');
  });

  test('to fewer workers that fails leaves all old ones', () => {
    const bench = reloaded(4, 2).exitsWith(5, 1);
    expect(bench.pass(60_000).forked).toEqual([1, 2, 3, 4, 5]);
    expect([1, 2, 3, 4].filter((old) => bench.drains(old))).toEqual([]);
  });

  test('to more workers that fails leaves as many as before: the new ones go', () => {
    const bench = reloaded(2, 4).getsReady(3).exitsWith(4, 1);
    bench.pass(1_000);
    expect([1, 2, 3].filter((worker) => bench.drains(worker))).toEqual([3]);
    expect(bench.exitsWith(3, 0).pass(60_000).supervisor.count().ready).toBe(2);
  });

  test('asked for several times meanwhile, is done once more', () => {
    const bench = running(1);
    for (let i = 0; i < 3; i++) bench.supervisor.enqueue({ type: 'reload' });
    bench.step().getsReady(2).exitsWith(1, 0).step();
    expect(bench.forked).toEqual([1, 2, 3]);
    bench.getsReady(3).exitsWith(2, 0).pass(5_000);
    expect(bench.forked).toEqual([1, 2, 3]);
  });

  test('goes on when an old worker dies meanwhile', () => {
    const bench = running(2);
    bench.supervisor.enqueue({ type: 'reload' });
    bench.step().exitsWith(2, null, 'SIGKILL').step();
    bench.getsReady(...bench.forked.slice(2));
    expect(bench.drains(1)).toBe(true);
    bench.exitsWith(1, 0).pass(2_000);
    expect(bench.supervisor.count()).toEqual({ starting: 0, ready: 2, draining: 0 });
    expect(bench.logged.at(-1)).toContain('Reloaded');
  });
});

describe('stop', () => {
  test('first readiness, then after the delay the drain, then the end', () => {
    const bench = stopping(running(2));
    expect(bench.told.get(1)).toEqual(['unready']);
    expect(bench.pass(499).told.get(1)).toEqual(['unready']);
    expect(bench.pass(2).told.get(1)).toEqual(['unready', 'drain']);
    expect(bench.exitsWith(1, 0).exitsWith(2, 0).end).toEqual({ code: 0, message: undefined });
    expect(bench.forked).toEqual([1, 2]);
  });

  test('a worker that is left near the deadline is killed, and the end is still in time', () => {
    const bench = stopping(running(2)).pass(9_500);
    expect(bench.killed).toEqual([]);
    expect(bench.exitsWith(1, 0).pass(450).killed).toEqual([2]);
    expect(bench.exitsWith(2, null, 'SIGKILL').end?.code).toBe(0);
  });

  test('while the first workers start, ends those that do not exit by themselves', () => {
    const bench = stopping(new Bench(3)).exitsWith(1, 0);
    expect(bench.told.get(2)).toEqual(['unready']);
    expect(bench.pass(499).killed).toEqual([]);
    expect(bench.pass(1).killed).toEqual([2]);
    bench.exitsWith(2, null, 'SIGKILL');
    expect(bench.end).toEqual({ code: 0, message: undefined });
    expect(bench.exits).toEqual(['drained', 'drained']);
  });

  test('a worker that gets ready meanwhile may have taken connections, and drains', () => {
    const bench = stopping(new Bench(1)).getsReady(1).pass(501);
    expect([bench.ready, bench.killed, bench.drains(1)]).toEqual([undefined, [], true]);
    expect(bench.exitsWith(1, 0).end).toEqual({ code: 0, message: undefined });
  });

  test('nobody is replaced any more', () => {
    const bench = stopping(running(2)).exitsWith(1, null, 'SIGKILL').pass(300);
    expect(bench.forked).toEqual([1, 2]);
  });
});

test('messages and exits of workers that are no more are ignored', () => {
  const bench = running(1).say(77, { type: 'ready', address: '::', port: 1 }).exitsWith(77, 1);
  expect(bench.exits).toEqual([]);
  expect(bench.supervisor.count()).toEqual({ starting: 0, ready: 1, draining: 0 });
});

const wears = (bench: Bench, generation: number) =>
  bench.say(generation, { type: 'worn', limit: 'WORKER_MAX_AGE' }).step();

/** Two workers that have been ready for longer than a minute. */
const aged = () => running(2).pass(50_000);

describe('recycling', () => {
  test('a worn worker goes when its replacement is ready, and counts as recycled', () => {
    const bench = wears(aged(), 1);
    expect(bench.forked).toEqual([1, 2, 3]);
    expect(bench.drains(1)).toBe(false);
    expect(bench.getsReady(3).drains(1)).toBe(true);
    expect(bench.exitsWith(1, 0).exits).toEqual(['recycled']);
  });

  test('workers that are worn at the same time go one after the other', () => {
    const bench = wears(wears(aged(), 1), 2).getsReady(3);
    expect(bench.pass(5_000).forked).toEqual([1, 2, 3]);
    expect(bench.exitsWith(1, 0).forked).toEqual([1, 2, 3, 4]);
    bench.getsReady(4).exitsWith(2, 0);
    expect(bench.exits).toEqual(['recycled', 'recycled']);
    expect(bench.logged.join('')).not.toContain('too low');
  });

  test('workers that are worn within a minute of their start go once a minute, and the log says so', () => {
    const bench = wears(wears(running(2), 1), 2)
      .getsReady(3)
      .exitsWith(1, 0);
    expect(bench.logged.join('')).toContain('WORKER_MAX_AGE is reached within a minute');
    expect(bench.pass(59_000).forked).toEqual([1, 2, 3]);
    expect(bench.pass(1_000).forked).toEqual([1, 2, 3, 4]);
  });

  test('a worn worker serves on while its replacement cannot start', () => {
    const bench = wears(aged(), 1).exitsWith(3, 1);
    expect(bench.drains(1)).toBe(false);
    expect(bench.pass(1_000).forked).toEqual([1, 2, 3, 4]);
    expect(bench.getsReady(4).drains(1)).toBe(true);
  });

  test('a worn worker that is killed while it drains counts as killed', () => {
    const bench = wears(aged(), 1).getsReady(3);
    expect(bench.exitsWith(1, null, 'SIGKILL').exits).toEqual(['killed']);
  });
});

describe('what is shown', () => {
  test('a replacement takes the place of the one that goes, and counts as its restart', () => {
    const bench = running(2);
    const places = () =>
      bench.supervisor.workers().map(({ generation, place, restarts }) => [generation, place, restarts]);
    expect(places()).toEqual([
      [1, 1, 0],
      [2, 2, 0],
    ]);
    bench.exitsWith(2, null, 'SIGKILL');
    expect(places()).toEqual([
      [1, 1, 0],
      [3, 2, 1],
    ]);
    bench.getsReady(3).supervisor.enqueue({ type: 'reload' });
    expect(bench.step().forked).toEqual([1, 2, 3, 4]);
    expect(places().at(-1)).toEqual([4, 1, 1]);
  });

  test('a worker that said it would be busy is not hung for so long', () => {
    const bench = running(2).say(1, { type: 'busy', ms: 20_000 }).step();
    expect(bench.pass(19_000, [2]).killed).toEqual([]);
    expect(bench.pass(TIMEOUT_MS + 2_000, [2]).killed).toEqual([1]);
  });

  test('a message that was under way takes nothing of that time, a heartbeat ends it', () => {
    const bench = running(2).say(1, { type: 'busy', ms: 20_000 }).say(1, { type: 'lines-lost', lines: 1 });
    expect(bench.step().pass(19_000, [2]).killed).toEqual([]);
    bench.say(1, { type: 'heartbeat' }).step();
    expect(bench.pass(TIMEOUT_MS + 300, [2]).killed).toEqual([1]);
  });
});

/** Collects the results of the reloads that are asked for here. */
function waits(bench: Bench): (string | undefined)[] {
  const ends: (string | undefined)[] = [];
  bench.supervisor.enqueue({ type: 'reload', done: (problem) => ends.push(problem) });
  bench.step();
  return ends;
}

describe('who waits for a reload', () => {
  test('is told when all workers are new', () => {
    const bench = running(1);
    const ends = waits(bench);
    bench.getsReady(2);
    expect(ends).toEqual([]);
    bench.exitsWith(1, 0);
    expect(ends).toEqual([undefined]);
  });

  test('during another one waits for the next', () => {
    const bench = running(1);
    const [first, second] = [waits(bench), waits(bench)];
    bench.getsReady(2).exitsWith(1, 0);
    expect([first, second]).toEqual([[undefined], []]);
    bench.getsReady(3).exitsWith(2, 0);
    expect(second).toEqual([undefined]);
  });

  test('is told when it stops, and so is who waits for the next', () => {
    const bench = running(1);
    const [first, second] = [waits(bench), waits(bench)];
    bench.exitsWith(2, 1);
    expect(first).toEqual([expect.stringContaining('did not get ready')]);
    expect(second).toEqual(first);
  });

  test('is told when the service stops instead', () => {
    const bench = running(1);
    const ends = waits(bench);
    stopping(bench);
    expect(ends).toEqual(['The service is stopping.']);
  });
});
