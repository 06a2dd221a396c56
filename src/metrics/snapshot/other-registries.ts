import { dirname } from 'node:path';
import type { Registry } from 'prom-client';

/** The packages whose default registry has prom-client's methods: its successor, and itself in another copy. */
const PACKAGES = ['@prometheus-io/client', 'prom-client'];

/** The files of the app's own packages; undefined before they were looked for. */
let files: readonly string[] | undefined;

/** Returns the default registries of @prometheus-io/client and of the app's own prom-client, where it has loaded them. */
export function otherRegistries(): Registry[] {
  files ??= PACKAGES.flatMap(installed);
  return files.flatMap((file) => {
    const { register }: { register?: Registry } = require.cache[file]?.exports ?? {}; // of that package
    return register ?? [];
  });
}

/**
 * Looks for a package from the program, and from the working directory if the program is a command. Leaves out
 * the prom-client that the service uses.
 */
function installed(name: string): string[] {
  try {
    const program = process.argv[1] ?? __filename;
    const file = require.resolve(name, { paths: [dirname(program), process.cwd()] });
    return file === require.resolve('prom-client') ? [] : [file];
  } catch {
    return [];
  }
}
