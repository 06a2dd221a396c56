// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

// npm run bench [-- --section NAME … --rounds N]: measures, prints, writes RESULTS.md. Exits with 1 when a bar is missed.
const SECTIONS = ['request', 'scrape', 'scrapers', 'growth'];
const folder = fileURLToPath(new URL('.', import.meta.url));

const { sections, rounds } = readArguments();

if (!existsSync(`${folder}/node_modules`)) execute('npm', ['ci', '--no-audit', '--no-fund'], folder);
execute(process.execPath, ['scripts/build.mjs'], `${folder}/..`);
process.exitCode = (await measure(sections)) ? 1 : 0;

function readArguments() {
  try {
    const options = /** @type {const} */ ({
      section: { type: 'string', multiple: true, default: SECTIONS },
      rounds: { type: 'string', default: '15' },
    });
    const { values } = parseArgs({ options });
    const unknown = values.section.find((name) => !SECTIONS.includes(name));
    if (unknown !== undefined) throw new Error(`There is no section ${unknown}.`);
    if (!/^[1-9]\d*$/.test(values.rounds))
      throw new Error(`--rounds has to be a number, and is ${values.rounds}.`);
    return { sections: values.section, rounds: Number(values.rounds) };
  } catch (err) {
    console.error(err instanceof Error ? err.message : err);
    console.error(`Usage: npm run bench -- [--section ${SECTIONS.join('|')}]… [--rounds N]`);
    return process.exit(64);
  }
}

/**
 * @param {string[]} keys
 * @returns {Promise<number>} how many bars were missed
 */
async function measure(keys) {
  // Loaded here because they need the peers, which are installed above.
  const { conditions, figure, missed, publish } = await import('./harness/report.mjs');
  const misses = [];
  for (const key of keys) {
    console.error(`${key}: measuring`);
    const section = await (await import(`./sections/${key}.mjs`)).run(rounds);
    publish({ key, ...section }, conditions(rounds, versions()), SECTIONS);
    misses.push(...section.bars.filter(missed).map((/** @type {any} */ bar) => ({ key, ...bar })));
  }
  for (const { key, what, limit, measured } of misses)
    console.error(`missed: ${key}: ${what}: ${figure(measured)}, bar ${limit}`);
  return misses.length;
}

function versions() {
  const { dependencies } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const installed = Object.keys(dependencies).map((name) => {
    const { version } = JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`, 'utf8'));
    return [name, version];
  });
  return Object.fromEntries(installed);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function execute(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
