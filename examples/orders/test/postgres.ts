import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { eventually } from './support/eventually';
import { freePort } from './support/service';

const READY_MS = 30_000;

/** A PostgreSQL of one's own, on a free port of the loopback interface, in a folder that goes with it. */
export class Postgres {
  readonly #folder: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async create(): Promise<Postgres> {
    const folder = mkdtempSync(join(tmpdir(), 'orders-postgres-'));
    const { uid, gid } = owner();
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
    execFileSync(
      program('initdb'),
      ['-D', folder, '-U', 'orders', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
      {
        ...owner(),
        cwd: folder,
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    const postgres = new Postgres(folder, await freePort());
    await postgres.start();
    return postgres;
  }

  get url(): string {
    return `postgres://orders@127.0.0.1:${this.#port}/postgres`;
  }

  async start(): Promise<void> {
    const args = ['-D', this.#folder, '-k', this.#folder, '-h', '127.0.0.1', '-p', String(this.#port), '-F'];
    this.#process = spawn(program('postgres'), args, { ...owner(), cwd: this.#folder, stdio: 'ignore' });
    const child = this.#process;
    const started = await eventually('PostgreSQL answers or has ended', READY_MS, async () => {
      return child.exitCode === null ? this.#answers() : 'ended';
    });
    if (started === 'ended') throw new Error(`PostgreSQL ended with ${child.exitCode}`);
  }

  /** Ends connections that are open, as an administrator would. */
  async stop(): Promise<void> {
    const ending = this.#process;
    if (!ending || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill('SIGINT');
    await exited;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  async query<Row>(text: string): Promise<Row[]> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query(text)).rows as Row[]; // as the caller has asked
    } finally {
      await client.end();
    }
  }

  async #answers(): Promise<boolean> {
    try {
      await this.query('select 1');
      return true;
    } catch {
      return false;
    }
  }
}

/** PostgreSQL refuses to run as root. */
function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const user = spawnSync('id', ['-u', 'postgres']).status === 0 ? 'postgres' : 'nobody';
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Debian keeps the programs of each version in a folder that is not in PATH. */
function program(name: string): string {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : [];
  return versions.length > 0 ? join(debian, versions[0] ?? '', 'bin', name) : name;
}
