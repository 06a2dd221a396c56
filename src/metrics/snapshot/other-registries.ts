import { dirname, resolve } from 'node:path';
import type { Registry } from 'prom-client';

/**
 * The packages whose default registry has prom-client's methods: its successor, and itself in another copy.
 */
const PACKAGES = ['@prometheus-io/client', 'prom-client'];

/** The files of the app's own packages; undefined before they were looked for. */
let files: readonly string[] | undefined;

/**
 * Returns the default registries of @prometheus-io/client and of the app's own prom-client, where it has
 * loaded them.
 */
export function otherRegistries(): Registry[] {
  files ??= PACKAGES.flatMap(installed);
  return files.flatMap((file) => {
    const { register }: { register?: Registry } = require.cache[file]?.exports ?? {}; // of that package
    return register ?? [];
  });
}

/**
 * Looks for a package from the program and, if that is a command, from the file that it was told to run and
 * from the working directory. Leaves out the prom-client that the service uses.
 */
function installed(name: string): string[] {
  const [program = __filename, ...words] = process.argv.slice(1);
  const folders = [program, ...words.map((word) => resolve(word))].map((path) => dirname(path));
  const found = new Set([...folders, process.cwd()].flatMap((folder) => resolved(name, folder)));
  found.delete(require.resolve('prom-client'));
  return [...found];
}

function resolved(name: string, folder: string): string[] {
  try {
    return [require.resolve(name, { paths: [folder] })];
  } catch {
    return [];
  }
}
