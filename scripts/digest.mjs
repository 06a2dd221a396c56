import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The digest of the files and folders with these names below a folder, without what `generate` writes: that is made of the others. */
export function digestOf(root, names) {
  const hash = createHash('sha256');
  const files = names
    .map((name) => join(root, name))
    .filter((file) => existsSync(file))
    .flatMap((file) => filesBelow(file, join(root, 'src/generated')))
    .toSorted((a, b) => (a < b ? -1 : 1));
  for (const file of files) hash.update(`${relative(root, file)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function filesBelow(file, generated) {
  if (!statSync(file).isDirectory()) return [file];
  return readdirSync(file, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(generated))
    .map(({ parentPath, name }) => join(parentPath, name));
}
