import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/** A build puts a new folder in the place of this one. */
const folder = dirname(require.main?.filename ?? __filename);
const identity = identify();

function identify(): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.ino;
}

/**
 * To be called when all is loaded and nothing is served yet. Throws where the program was built anew meanwhile: this process
 * has loaded a part of it before and a part after that, and there is no telling what such a mixture would do.
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
