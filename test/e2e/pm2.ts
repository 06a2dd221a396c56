import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { request, type RequestOptions } from '../support/exchange';
import { type Family, parseExposition } from '../support/exposition';
import { freePort } from '../support/service';

const ROOT = resolve(__dirname, '../..');
const PROGRAM = join(ROOT, 'node_modules/pm2/bin/pm2');

interface Process {
  pid: number;
  pm_id: number;
  pm2_env: { status: string; restart_time: number };
}

/** A PM2 of its own: daemon, home and ledger folder. To be ended with `dispose`. */
export class Pm2 {
  readonly home = mkdtempSync(join(tmpdir(), 'pm2-'));
  readonly ledgerDir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'pm2-test-'));
  readonly port: number;
  readonly #env: Record<string, string | undefined>;

  private constructor(port: number, env: Record<string, string>) {
    this.port = port;
    this.#env = {
      PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}`,
      HOME: this.home,
      PM2_HOME: this.home,
      LEDGER_DIR: this.ledgerDir,
      HOST: '127.0.0.1',
      PORT: String(port),
      // Requests are slow on a busy machine, and a line about a slow one is no fault.
      ACCESS_LOG: 'off',
      ...env,
    };
  }

  /** Starts the app of an ecosystem file; resolves when PM2 says that it is online. */
  static async start(config: string, env: Record<string, string>): Promise<Pm2> {
    const pm2 = new Pm2(await freePort(), env);
    await pm2.run('start', pm2.#withGreetings(resolve(ROOT, config)));
    return pm2;
  }

  /** The same ecosystem, with the greetings in place of the API that is described in swagger/. */
  #withGreetings(config: string): string {
    const file = join(this.home, 'ecosystem.config.js');
    writeFileSync(
      file,
      `const { apps } = require(${JSON.stringify(config)});
      const script = ${JSON.stringify(join(ROOT, 'test/fixtures/lifecycle.js'))};
      module.exports = { apps: apps.map((app) => (app.script === 'dist/main.js' ? { ...app, script } : app)) };`,
    );
    return file;
  }

  /** Runs a PM2 command to its end. Rejects, with what it printed, when it fails. */
  async run(...args: string[]): Promise<string> {
    return this.#exec(process.execPath, [PROGRAM, ...args]);
  }

  /** Runs one of the package's scripts in PM2's environment. */
  async npmRun(script: string): Promise<string> {
    return this.#exec('npm', ['run', '-s', script]);
  }

  /** Runs one of the package's commands. Rejects, with what it printed, when it fails. */
  async command(...args: string[]): Promise<string> {
    return this.#exec(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...args]);
  }

  async #exec(program: string, args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(program, args, { cwd: ROOT, env: this.#env });
    return stdout;
  }

  setEnv(name: string, value: string): void {
    this.#env[name] = value;
  }

  async processes(): Promise<Process[]> {
    const list: Process[] = JSON.parse(await this.run('jlist'));
    return list;
  }

  /** Everything that the app has written. */
  logs(): string {
    const folder = join(this.home, 'logs');
    return readdirSync(folder)
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n');
  }

  async scrape(options?: RequestOptions, port = this.port): Promise<ReadonlyMap<string, Family>> {
    const { status, body } = await request(port, '/metrics', options);
    if (status !== 200) throw new Error(`/metrics answered ${status}: ${body.toString()}`);
    return parseExposition(body.toString());
  }

  async dispose(): Promise<void> {
    await this.run('kill');
    rmSync(this.home, { recursive: true, force: true });
    rmSync(this.ledgerDir, { recursive: true, force: true });
  }
}
