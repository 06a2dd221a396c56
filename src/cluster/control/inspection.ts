import { once } from 'node:events';
import { request } from 'node:http';
import { Session } from 'node:inspector/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';

/**
 * Sends content to a command that waits for it at the primary's control socket.
 * @param make makes the content; if it throws, the error's message is sent in its place
 */
export async function deliver(socketPath: string, id: number, make: () => Promise<Readable>): Promise<void> {
  const content = await make().catch((err: unknown) => String(err));
  const failed = typeof content === 'string';
  const path = `/deliveries/${id}${failed ? '?failed' : ''}`;
  const put = request({ socketPath, path, method: 'PUT' });
  const answered = once(put, 'response');
  await Promise.all([pipeline(failed ? Readable.from([content]) : content, put), answered]);
}

/** Profiles this process for a number of seconds. The profile is JSON, as Chrome DevTools reads it. */
export async function cpuProfile(seconds: number): Promise<Readable> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await delay(seconds * 1_000);
    const { profile } = await session.post('Profiler.stop');
    return Readable.from([JSON.stringify(profile)]);
  } finally {
    session.disconnect();
  }
}

/** Takes a snapshot of the heap. It blocks this process meanwhile. */
export async function heapSnapshot(): Promise<Readable> {
  return getHeapSnapshot();
}
