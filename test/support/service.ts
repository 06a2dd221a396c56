import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually';
import { type RequestOptions, request } from './exchange';
import type { Answer } from './answer-parser';
import { type Family, parseExposition, total } from './exposition';
import { childrenOf, groupMembers } from './processes';

export interface ServiceOptions {
  /** The program, from the package's folder or absolute. Default: it greets, as test/fixtures/greetings describes. */
  readonly program?: string;
  /** The arguments of the program. */
  readonly args?: readonly string[];
  /**
   * The variables on top of PATH, HOST=127.0.0.1, a free PORT, WEB_CONCURRENCY=2
   * and a ledger folder of its own.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** Default the package's folder. */
  readonly cwd?: string;
  /** Milliseconds until /readyz must answer 200. Default 15000; 0: do not wait. */
  readonly readyMs?: number;
  /** A command that ends in node, in place of node itself: for limits set by a shell. */
  readonly command?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const root = process.cwd();
const running = new Set<Service>();
process.on('exit', () => running.forEach((service) => service.kill()));

/** A real service in a process group of its own, on 127.0.0.1. It ends with `dispose()`, or `disposeAll()`, at the latest. */
export class Service {
  readonly port: number;
  readonly pid: number;
  /** The output of the service, so far. */
  stdout = '';
  stderr = '';
  exit: Exit | undefined;
  readonly ledgerDir: string;
  readonly #child: ChildProcess;

  private constructor(port: number, ledgerDir: string, options: ServiceOptions) {
    const [command = process.execPath, ...before] = options.command ?? [];
    const program = options.program ?? join(root, 'test/fixtures/greetings/main.js');
    this.port = port;
    this.ledgerDir = ledgerDir;
    this.#child = spawn(command, [...before, program, ...(options.args ?? [])], {
      cwd: options.cwd ?? root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOST: '127.0.0.1',
        PORT: String(port),
        WEB_CONCURRENCY: '2',
        LEDGER_DIR: ledgerDir,
        ...options.env,
      },
    });
    if (this.#child.pid === undefined) throw new Error(`cannot start ${command}`);
    this.pid = this.#child.pid;
    running.add(this);
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#child.on('exit', (code, signal) => (this.exit = { code, signal }));
  }

  /**
   * Starts a service. Resolves when /readyz answers 200. Throws with its output when it
   * exits or is not ready in time.
   */
  static async start(options: ServiceOptions = {}): Promise<Service> {
    const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    const ledgerDir = mkdtempSync(join(memory, 'service-test-'));
    const port = Number(options.env?.['PORT'] ?? (await freePort()));
    const service = new Service(port, ledgerDir, options);
    const readyMs = options.readyMs ?? 15_000;
    if (readyMs > 0) await service.#untilReady(readyMs);
    return service;
  }

  async #untilReady(deadlineMs: number): Promise<void> {
    try {
      await eventually('the service is ready or has exited', deadlineMs, async () => {
        return this.exit !== undefined || (await this.get('/readyz')).status === 200;
      });
      if (this.exit !== undefined) throw new Error(`exited with ${JSON.stringify(this.exit)}`);
    } catch (cause) {
      await this.dispose();
      throw new Error(`not ready\n${this.stdout}\n${this.stderr}`, { cause });
    }
  }

  /** Pids of the primary's live children. */
  workers(): number[] {
    return childrenOf(this.pid);
  }

  /** Pids of all live processes of the service, also when the primary is gone. */
  processes(): number[] {
    return groupMembers(this.pid);
  }

  /** A request on a connection of its own. */
  get(path: string, options?: RequestOptions): Promise<Answer> {
    return request(this.port, path, options);
  }

  /** The parsed exposition; throws unless it is a 200 that parses. */
  async scrape(port = this.port): Promise<ReadonlyMap<string, Family>> {
    const { status, body } = await request(port, '/metrics');
    if (status !== 200) throw new Error(`/metrics answered ${status}: ${body.toString()}`);
    return parseExposition(body.toString());
  }

  /** Sends a signal to the primary only. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Sends a signal to the primary and all its workers, as a terminal does for ^C. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Waits for the primary's exit; throws when it takes longer. */
  waitForExit(deadlineMs: number): Promise<Exit> {
    return eventually(`exit of ${this.pid}`, deadlineMs, () => this.exit);
  }

  /** Waits until so many workers are ready by the service's own metrics: /readyz answers as soon as one is. */
  async allReady(workers: number, deadlineMs = 30_000): Promise<void> {
    await eventually(`${workers} workers ready`, deadlineMs, async () => {
      return total(await this.scrape(), 'flask_app_workers', { state: 'ready' }) === workers;
    });
  }

  /** SIGTERM, and its exit. */
  async stop(deadlineMs = 15_000): Promise<Exit> {
    this.signal('SIGTERM');
    return this.waitForExit(deadlineMs);
  }

  kill(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // The whole group is gone already.
    }
  }

  /** Ends every process of the service, whatever its state, and removes its ledger folder. */
  async dispose(): Promise<void> {
    this.kill();
    await eventually(`end of group ${this.pid}`, 5000, () => this.processes().length === 0);
    running.delete(this);
    rmSync(this.ledgerDir, { recursive: true, force: true });
  }
}

/** Ends every service that was started and not disposed of. For afterEach. */
export async function disposeAll(): Promise<void> {
  await Promise.all([...running].map((service) => service.dispose()));
}

/** A port that nothing listens on, below the range that outgoing connections take theirs from. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.on('error', () => resolve(false));
      server.listen(port, () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
