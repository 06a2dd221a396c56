import type { Format } from '../metrics/exposition/gatherer.js';

/** What a worker tells its primary. */
export type FromWorker =
  | { readonly type: 'scrape'; readonly id: number; readonly format: Format }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: string }
  | { readonly type: 'ledger-failed' };

/** What a primary tells a worker. `bytes` are in Latin-1: what an app's own cluster sends is JSON by default. */
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

/** Tells messages of this package from those of the app. */
const KEY = 'koa-cluster-metrics';

/** A message as it is sent, beside whatever the app sends by the same channel. */
export function wrapped(message: FromWorker | FromPrimary): object {
  return { [KEY]: message };
}

/** A message of a worker; undefined for one of the app. */
export function fromWorker(value: unknown): FromWorker | undefined {
  return contentOf(value) as FromWorker | undefined; // nobody else uses this key
}

/** A message of the primary; undefined for one of the app. */
export function fromPrimary(value: unknown): FromPrimary | undefined {
  return contentOf(value) as FromPrimary | undefined; // nobody else uses this key
}

function contentOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && KEY in value ? value[KEY] : undefined;
}
