import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { init } from '../../src/cli/init';

const ROOT = resolve(__dirname, '../..');
const read = (path: string) => readFileSync(path, 'utf8');

/** README and the pages that are not about the repository itself. */
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter(
  (page) => page !== 'docs/architecture.md',
);

let home: string;
let project: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'init-test-'));
  project = join(home, 'my-api');
  await make(project);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Makes a project, and returns what is told. */
async function make(folder: string): Promise<string> {
  let told = '';
  const write = (text: string) => ((told += text), true);
  const out = { write } as unknown as NodeJS.WriteStream; // the part that is used
  const options = { check: false, watch: false, json: false, ifNeeded: false, ifPossible: false };
  const unset = { port: undefined, worker: undefined, seconds: undefined };
  await init({ words: [folder], options: { ...options, ...unset }, env: {}, out });
  return told;
}

/** The text files of a project by path, without the source code. */
function settings(): [path: string, text: string][] {
  return readdirSync(project, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.ts'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => [path, read(path)]);
}

test('what is told to be run leads into a folder with spaces and quotes', async () => {
  const folder = join(home, "Ada's API");
  const [, command = ''] = /^ {2}(cd .*)$/m.exec(await make(folder)) ?? [];
  expect(execFileSync('sh', ['-c', `${command} && pwd`], { encoding: 'utf8' }).trim()).toBe(folder);
});

test('a project has every script that README and the pages name, but those that they give to a clone alone', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read(join(project, 'package.json')));
  const named = PAGES.flatMap((page) => [
    ...read(join(ROOT, page)).matchAll(/npm run (?:-s )?([a-z][a-z:]*)/g),
  ]).map(([, name = '']) => name);
  const clonesOnly = ['lint', 'format', 'generate', 'bench'];
  expect(named).toContain('observability');
  const isThere = (name: string) => name in scripts || clonesOnly.includes(name);
  expect([...new Set(named)].filter((name) => !isThere(name))).toEqual([]);
});

test('a project has its own name in what it deploys, and names files of the package where they are', () => {
  const mentions = settings()
    .filter(([path]) => !path.endsWith('package.json') && !path.endsWith('README.md'))
    .flatMap(([, text]) => text.match(/\S*koa-cluster-metrics\S*/g) ?? []);
  expect(mentions.length).toBeGreaterThan(10);
  expect(mentions.filter((mention) => !mention.startsWith('node_modules/koa-cluster-metrics/'))).toEqual([]);
  expect(readdirSync(join(project, 'deploy/systemd'))).toEqual(['my-api.service']);
  expect(read(join(project, 'deploy/systemd/my-api.service'))).toMatch(
    /^ExecReload=\S+ node_modules\/koa-cluster-metrics\/dist\/cli\/main\.js reload$/m,
  );
});

test('links of README and of the pages lead to files of the package, and it has what init copies', () => {
  const { files }: { files: string[] } = JSON.parse(read(join(ROOT, 'package.json')));
  const isShipped = (path: string) =>
    ['README.md', 'LICENSE', ...files].some((name) => path === name || path.startsWith(`${name}/`));
  const links = PAGES.flatMap((page) =>
    [...read(join(ROOT, page)).matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(([, link = '']) =>
      join(dirname(page), link),
    ),
  );
  expect(links.length).toBeGreaterThan(40);
  // The example of a test can be deleted.
  const isThere = (path: string) =>
    path === 'test/handlers/greetings.test.ts' || existsSync(join(ROOT, path));
  expect(links.filter((path) => !isShipped(path) || !isThere(path))).toEqual([]);
  for (const name of ['deploy', 'src/serverless.ts', 'template']) expect(files).toContain(name);
});
