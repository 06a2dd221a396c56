// npm run test:matrix [-- 20 22 24]: `npm test` under each of these Node releases, taken from npm's package "node".
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const releases = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24'];

/** Installs that Node into the folder. Its install script fetches the binary: some npm settings block such scripts. */
function install(release, folder) {
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, allowScripts: { node: true } }),
  );
  const { status } = spawnSync(
    'npm',
    ['install', '--no-audit', '--no-fund', '--ignore-scripts=false', `node@${release}`],
    { cwd: folder, stdio: 'inherit' },
  );
  return status === 0;
}

function run(release) {
  const folder = mkdtempSync(join(tmpdir(), `node-${release}-`));
  try {
    if (!install(release, folder)) return { release, result: 'not installed' };
    const PATH = join(folder, 'node_modules/.bin') + delimiter + process.env.PATH;
    const env = { ...process.env, PATH };
    const version = spawnSync('node', ['--version'], { env, encoding: 'utf8' }).stdout.trim();
    if (!version.startsWith(`v${release}.`)) return { release, version, result: 'another Node answered' };
    const { status } = spawnSync('npm', ['test'], { env, stdio: 'inherit' });
    return { release, version, result: status === 0 ? 'passed' : `failed (${status})` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const results = releases.map(run);
for (const { release, version = '', result } of results) {
  process.stdout.write(`Node ${release}  ${version}  ${result}\n`);
}
process.exit(results.every(({ result }) => result === 'passed') ? 0 : 1);
