import type { Format } from '../metrics/exposition/gatherer.js';

/** A message of a worker to its primary. */
export type FromWorker =
  | { readonly type: 'scrape'; readonly id: number; readonly format: Format }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: string }
  | { readonly type: 'ledger-failed' };

/**
 * A message of a primary to a worker. `bytes` are in Latin-1, since an app's own
 * cluster sends JSON by default.
 */
export type FromPrimary =
  | { readonly type: 'collect'; readonly id: number }
  | {
      readonly type: 'exposition';
      readonly id: number;
      readonly asOf: number;
      readonly bytes: string;
      readonly last: boolean;
    }
  | { readonly type: 'exposition-failed'; readonly id: number; readonly message: string };

/** The key that tells messages of this package from those of the app. */
const KEY = 'koa-cluster-metrics';

/** Wraps a message for a channel that the app uses too. */
export function wrapped(message: FromWorker | FromPrimary): object {
  return { [KEY]: message };
}

/** Unwraps a worker's message; undefined for a message of the app. */
export function fromWorker(value: unknown): FromWorker | undefined {
  return contentOf(value) as FromWorker | undefined; // nobody else uses this key
}

/** Unwraps a message of the primary; undefined for a message of the app. */
export function fromPrimary(value: unknown): FromPrimary | undefined {
  return contentOf(value) as FromPrimary | undefined; // nobody else uses this key
}

function contentOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && KEY in value ? value[KEY] : undefined;
}
