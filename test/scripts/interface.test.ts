import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const { exports }: { exports: Record<string, string> } = JSON.parse(read('package.json'));
// What is generated has the names of a description beside its own.
const entries = Object.entries(exports).filter(([, file]) => !/generated|package\.json/.test(file));

/** The names that a module exports, types included. */
function exported(file: string): string[] {
  const text = read(file);
  const declared = [
    ...text.matchAll(/^export (?:async )?(?:function|const|class|interface|type) (\w+)/gm),
  ].map(([, name = '']) => name);
  const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = '']) =>
    list.split(',').map((name) => name.trim()),
  );
  return [...declared, ...passedOn];
}

test.each(entries)('docs/interface.md has all that %s exports, and nothing else', (entry, built) => {
  const title = `### \`${entry.replace('.', 'koa-cluster-metrics')}\`\n`;
  const section = read('docs/interface.md').split(title)[1]?.split(/^##/m)[0] ?? '';
  const names = [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
  const source = built.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
  expect(names.toSorted()).toEqual(exported(source).toSorted());
});
