// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

// npm run bench [-- SECTION… --rounds N --node MAJOR…]: measures, prints, writes RESULTS.md and its picture. Exits with 1 when a bar is missed.
// Each Node but the one that runs this comes from npm's package "node".
const SECTIONS = ['api', 'request', 'existing-app', 'scrape', 'scrapers', 'growth', 'service', 'serverless'];
const folder = fileURLToPath(new URL('.', import.meta.url));
const own = process.versions.node.split('.')[0] ?? '';

const { sections, rounds, nodes } = readArguments();

if (!existsSync(`${folder}/node_modules`)) must('npm', ['ci', '--no-audit', '--no-fund'], folder);
must(process.execPath, ['scripts/build.mjs'], `${folder}/..`);
for (const node of nodes) {
  const kept = node === own ? (await measure(sections)) === 0 : measureWith(node);
  if (!kept) process.exitCode = 1;
}

function readArguments() {
  try {
    const options = /** @type {const} */ ({
      rounds: { type: 'string', default: '5' },
      node: { type: 'string', multiple: true },
    });
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const unknown = positionals.find((name) => !SECTIONS.includes(name));
    if (unknown !== undefined) throw new Error(`There is no section ${unknown}.`);
    const { rounds: count, node = [own] } = values;
    for (const [name, value] of [['rounds', count], ...node.map((major) => ['node', major])])
      if (!/^[1-9]\d*$/.test(value ?? '')) throw new Error(`--${name} has to be a number, and is ${value}.`);
    const chosen = positionals.length > 0 ? positionals : SECTIONS;
    return { sections: chosen, rounds: Number(count), nodes: node };
  } catch (err) {
    console.error(err instanceof Error ? err.message : err);
    console.error(`Usage: npm run bench -- [${SECTIONS.join('|')}]… [--rounds N] [--node MAJOR]…`);
    return process.exit(64);
  }
}

/**
 * @param {string[]} keys
 * @returns {Promise<number>} how many bars were missed
 */
async function measure(keys) {
  // Loaded here because they need the peers, which are installed above.
  const { conditions, figure, missed } = await import('./harness/report.mjs');
  const { publish } = await import('./harness/results.mjs');
  const misses = [];
  for (const key of keys) {
    console.error(`${key}: measuring on Node ${process.version}`);
    const section = await (await import(`./sections/${key}.mjs`)).run(rounds);
    publish(SECTIONS, key, own, { ...section, conditions: conditions(rounds, versions()) });
    misses.push(...section.bars.filter(missed).map((/** @type {any} */ bar) => ({ key, ...bar })));
  }
  for (const { key, what, limit, measured } of misses)
    console.error(`missed: ${key}: ${what}: ${figure(measured)}, bar ${limit}`);
  return misses.length;
}

/**
 * The same with another Node.
 * @param {string} major
 * @returns {boolean} whether all bars were kept
 */
function measureWith(major) {
  const place = `${folder}/node_modules/.node-${major}`;
  const program = `${place}/node_modules/.bin/node`;
  if (!existsSync(program)) {
    mkdirSync(place, { recursive: true });
    // The package's install script fetches the binary: some npm settings block such scripts.
    writeFileSync(`${place}/package.json`, JSON.stringify({ private: true, allowScripts: { node: true } }));
    must('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts=false', `node@${major}`], place);
  }
  const args = [fileURLToPath(import.meta.url), ...sections, '--rounds', String(rounds)];
  return spawnSync(program, args, { stdio: 'inherit' }).status === 0;
}

function versions() {
  const { dependencies } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const installed = Object.keys(dependencies).map((name) => {
    const manifest = JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`, 'utf8'));
    return `${manifest.name} ${manifest.version}`;
  });
  return installed;
}

/**
 * Runs a command that the rest needs.
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function must(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
