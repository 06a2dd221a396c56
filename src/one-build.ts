import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** The folder of the program. A build puts a new folder in its place. */
const folder = dirname(require.main?.filename ?? __filename);
const identity = identify();

function identify(): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.ino;
}

/**
 * Throws if the program was built anew while this process was loading: it has modules of both builds, and
 * nobody can say what such a mixture would do. Called when all is loaded, before anything is served.
 */
export function assertOneBuild(): void {
  if (identify() !== identity) throw new BuildReplaced();
}

class BuildReplaced extends Error {
  override readonly name = 'BuildReplaced';

  constructor() {
    super('The service was built anew while this process was loading it: start or reload it again.');
  }
}
