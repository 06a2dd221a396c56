import type { ServiceFolder } from './service-folder.js';
import { answerAt, askProcess, GONE } from './process-socket.js';
import { SharedValue } from './shared-value.js';

/** Milliseconds that the owner may take to show that it is alive; silence counts as life. */
const PATIENCE_MS = 500;

/**
 * Makes this process the owner of a service's folder for as long as it lives, unless another living process
 * is. Of several that try at the same moment one succeeds. Rejects if the folder can't be used.
 * @param id the number of this process
 */
export async function claim(folder: ServiceFolder, id: number): Promise<boolean> {
  const owner = new SharedValue(folder.path, 'owner');
  // Any answer will do: it only shows that this process is alive.
  await answerAt(folder.socket(id), () => Promise.resolve(String(process.pid)));
  for (;;) {
    const current = ownerIn(owner.read());
    if (current === id) return true;
    if (current !== undefined && (await askProcess(folder.socket(current), PATIENCE_MS)) !== GONE) {
      folder.remove(id);
      return false;
    }
    owner.update((value) => (ownerIn(value) === current ? { id } : undefined));
  }
}

function ownerIn(value: unknown): number | undefined {
  const id: unknown = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  return typeof id === 'number' ? id : undefined;
}
