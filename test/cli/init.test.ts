import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { init } from '../../src/cli/init';

const ROOT = resolve(__dirname, '../..');
const read = (path: string) => readFileSync(path, 'utf8');

let home: string;
let project: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'init-test-'));
  project = join(home, 'my-api');
  const out = { write: () => true } as unknown as NodeJS.WriteStream; // the part that is used
  const options = { check: false, watch: false, json: false, ifNeeded: false, ifPossible: false };
  const unset = { port: undefined, worker: undefined, seconds: undefined };
  await init({ words: [project], options: { ...options, ...unset }, env: {}, out });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** The text files of a project by path, without the source code. */
function settings(): [path: string, text: string][] {
  return readdirSync(project, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.ts'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => [path, read(path)]);
}

test('a project has every script that README and the pages name, but those that they give to a clone alone', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read(join(project, 'package.json')));
  const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];
  // This page is about the repository.
  const named = pages
    .filter((page) => page !== 'docs/architecture.md')
    .flatMap((page) => [...read(join(ROOT, page)).matchAll(/npm run (?:-s )?([a-z][a-z:]*)/g)])
    .map(([, name = '']) => name);
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

test('the package has what init copies, and the pages', () => {
  const { files }: { files: string[] } = JSON.parse(read(join(ROOT, 'package.json')));
  for (const name of ['docs', 'deploy', 'src/serverless.ts', 'template']) expect(files).toContain(name);
});
