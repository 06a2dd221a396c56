import { parsePrimaryMessage, parseWorkerMessage, type PrimaryMessage } from '../cluster/messages.js';
import type { Format } from '../metrics/exposition/gatherer.js';

/** A message of a worker to its primary. */
export type FromWorker =
  | { readonly type: 'scrape'; readonly id: number; readonly format: Format }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: string }
  | { readonly type: 'ledger-failed' };

/** A message of a primary to a worker. */
export type FromPrimary = Extract<PrimaryMessage, { type: 'collect' | 'exposition' | 'exposition-failed' }>;

/** The key that tells messages of this package from those of the app. */
const KEY = 'koa-cluster-metrics';

/**
 * Wraps a message for a channel that the app uses too. Bytes become Latin-1, since an app's own cluster
 * sends JSON by default.
 */
export function wrapped(message: FromWorker | FromPrimary): object {
  if (message.type !== 'exposition') return { [KEY]: message };
  return { [KEY]: { ...message, bytes: Buffer.from(message.bytes).toString('latin1') } };
}

/** Unwraps and checks a worker's message; undefined for a message of the app. */
export function fromWorker(value: unknown): FromWorker | undefined {
  const message = parseWorkerMessage(contentOf(value));
  switch (message?.type) {
    case 'snapshot':
    case 'ledger-failed':
      return message;
    case 'scrape': {
      const { type, id, format } = message;
      return format === 'workers' ? undefined : { type, id, format };
    }
    default:
      return undefined;
  }
}

/** Unwraps and checks a message of the primary; undefined for a message of the app. */
export function fromPrimary(value: unknown): FromPrimary | undefined {
  const message = parsePrimaryMessage(withBytes(contentOf(value)));
  switch (message?.type) {
    case 'collect':
    case 'exposition':
    case 'exposition-failed':
      return message;
    default:
      return undefined;
  }
}

function contentOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && KEY in value ? value[KEY] : undefined;
}

function withBytes(content: unknown): unknown {
  if (typeof content !== 'object' || content === null || !('bytes' in content)) return content;
  return typeof content.bytes === 'string'
    ? { ...content, bytes: Buffer.from(content.bytes, 'latin1') }
    : content;
}
