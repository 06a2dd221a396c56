import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { total } from '../support/exposition';
import { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const run = promisify(execFile);
const shipped = ['package.json', 'package-lock.json', 'dist', 'swagger', 'ecosystem.config.js'];

/** Notes each connection and each name that an install script asks for. npm itself runs no lifecycle event. */
const guard = `
if (process.env.npm_lifecycle_event) {
  const note = (what) => require('node:fs').appendFileSync(process.env.NETWORK_LOG,
    process.env.npm_package_name + ' ' + process.env.npm_lifecycle_event + ' ' + what + '\\n');
  const { Socket } = require('node:net');
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (...args) { note('connects'); return connect.apply(this, args); };
  const dns = require('node:dns');
  const { lookup } = dns;
  dns.lookup = function (name, ...rest) { note('looks up ' + name); return lookup(name, ...rest); };
}`;

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Runs the install scripts apart from the download, with an eye on the network. */
async function runScripts(folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const log = join(folder, 'network.log');
  const preload = join(folder, 'guard.cjs');
  writeFileSync(preload, guard);
  const guarded = { ...env, NETWORK_LOG: log, NODE_OPTIONS: `--require ${preload}` };
  await run('npm', ['rebuild', '--offline', '--no-update-notifier'], { cwd: folder, env: guarded });
  return existsSync(log) ? readFileSync(log, 'utf8').trim() : '';
}

/** Installs the package as a user does. */
export const productionInstall: FaultCase = {
  id: 'production-install',
  background: true,
  async run(context: Context) {
    const folder = mkdtempSync(join(tmpdir(), 'faults-install-'));
    try {
      for (const name of shipped) cpSync(name, join(folder, name), { recursive: true });
      const { NODE_OPTIONS: _, ...env } = process.env;
      const download = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
      await run('npm', download, { cwd: folder, env });
      const network = await runScripts(folder, env);
      context.check(
        'install scripts',
        network === '' ? 'no connection' : network,
        'no connection',
        network === '',
      );
      const megabytes = bytesBelow(folder) / 2 ** 20;
      context.check('npm ci --omit=dev', `${megabytes.toFixed(1)} MB`, '≤ 40 MB', megabytes <= 40);
      const program = join(folder, 'dist/main.js');
      const service = await Service.start({ program, cwd: folder, env: { NODE_ENV: 'production' } });
      const statuses: number[] = [];
      for (const path of ['/livez', '/readyz', '/docs', '/openapi.json'])
        statuses.push((await service.get(path)).status);
      const counted = total(await service.scrape(), 'flask_app_request_count', { endpoint: '/livez' });
      context.check(
        'the installed service',
        `answered ${statuses.join(' ')}, ${counted} counted`,
        '200 each, 1 counted',
        statuses.every((status) => status === 200) && counted === 1,
      );
      await service.dispose();
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
