import { setTimeout } from 'node:timers/promises';
import type { ServiceFolder } from './service-folder.js';
import { answerAt, askProcess, GONE, LATE } from './process-socket.js';
import { SharedValue } from './shared-value.js';

/**
 * Milliseconds that the owner may take to show that it is alive; silence counts as life. A killed process can
 * take hundreds to end on a busy host, and is silent meanwhile.
 */
const PATIENCE_MS = 2_000;
const ASK_AGAIN_MS = 10;

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
    if (current !== undefined && (await isAlive(folder.socket(current)))) {
      folder.remove(id);
      return false;
    }
    owner.update((value) => (ownerIn(value) === current ? { id } : undefined));
  }
}

/** Asks again when a connection is closed without an answer: the system does that when its process ends. */
async function isAlive(socket: string): Promise<boolean> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await askProcess(socket, Math.max(1, deadline - performance.now()));
    if (answer !== LATE || performance.now() >= deadline) return answer !== GONE;
    await setTimeout(ASK_AGAIN_MS);
  }
}

function ownerIn(value: unknown): number | undefined {
  const id: unknown = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  return typeof id === 'number' ? id : undefined;
}
