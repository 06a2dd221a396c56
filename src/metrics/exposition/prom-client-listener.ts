import cluster from 'node:cluster';
import type { EventEmitter } from 'node:events';

/**
 * Watches for the listener that prom-client adds when the first AggregatorRegistry is made, to `cluster` in a primary and to
 * `process` in a worker. It answers to a protocol that is not used here, and throws on a message that is `null`, which
 * would end the process; `remove` takes away what was added since.
 */
export function listenersAdded(): { remove(): void } {
  const emitters: EventEmitter[] = [cluster, process];
  const before = emitters.map((emitter) => new Set(emitter.listeners('message')));
  return {
    remove() {
      emitters.forEach((emitter, i) => {
        for (const listener of emitter.listeners('message')) {
          // `listeners` says Function; what could be added can be removed.
          if (!before[i]?.has(listener)) emitter.off('message', listener as (...args: unknown[]) => void);
        }
      });
    },
  };
}
