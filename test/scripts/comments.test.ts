import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const { printWidth }: { printWidth: number } = JSON.parse(
  readFileSync(join(ROOT, '.prettierrc.json'), 'utf8'),
);

test("comments of the sources keep prettier's width, which does not wrap them", () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.startsWith('generated'),
  );
  const tooWide = files.flatMap((path) =>
    readFileSync(join(ROOT, 'src', path), 'utf8')
      .split('\n')
      .map((line, index) => ({ line, place: `${path}:${index + 1}` }))
      .filter(({ line }) => line.length > printWidth && /^\s*(?:\/?\*|\/\/)/.test(line)),
  );
  expect(files.length).toBeGreaterThan(200);
  expect(tooWide.map(({ place }) => place)).toEqual([]);
});
