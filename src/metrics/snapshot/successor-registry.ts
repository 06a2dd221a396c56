import { dirname } from 'node:path';
import type { Registry } from 'prom-client';

/** The successor of prom-client, whose registry has the same methods. */
const SUCCESSOR = '@prometheus-io/client';

/** The file of the installed package; undefined before it was looked for, empty if there is none. */
let file: string | undefined;

/** Returns the default registry of @prometheus-io/client, if the app has loaded that. */
export function successorRegistry(): Registry | undefined {
  file ??= installed();
  const { register }: { register?: Registry } = require.cache[file]?.exports ?? {}; // of that package
  return register;
}

/** Looks for the package from the program, and from the working directory if the program is a command. */
function installed(): string {
  try {
    const program = process.argv[1] ?? __filename;
    return require.resolve(SUCCESSOR, { paths: [dirname(program), process.cwd()] });
  } catch {
    return '';
  }
}
