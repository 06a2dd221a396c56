import { once } from 'node:events';
import { request } from 'node:http';
import { Session } from 'node:inspector/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';

/**
 * Brings to the primary's control socket what somebody waits for there.
 * @param make gives the content; where it throws, its message is brought instead
 */
export async function deliver(socketPath: string, id: number, make: () => Promise<Readable>): Promise<void> {
  const content = await make().catch((err: unknown) => String(err));
  const failed = typeof content === 'string';
  const path = `/deliveries/${id}${failed ? '?failed' : ''}`;
  const put = request({ socketPath, path, method: 'PUT' });
  const answered = once(put, 'response');
  await Promise.all([pipeline(failed ? Readable.from([content]) : content, put), answered]);
}

/** Profiles this process for so long. */
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

/** Takes a snapshot of the heap; nothing else happens in this process meanwhile. */
export async function heapSnapshot(): Promise<Readable> {
  return getHeapSnapshot();
}
