import { LOG_LEVELS, type LogLevel } from '../config.js';
import type { KeyPair } from '../key-pair.js';
import type { Foreseen } from '../metrics/foreseen.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import type { Vitals } from '../metrics/worker-status.js';
import { WEAR_LIMITS, type WearLimit } from './supervision/worker-wear.js';

/**
 * A document that a worker can ask the primary for: the exposition in a format,
 * or the workers' state as JSON.
 */
export type Wanted = Format | 'workers';

/** A message of a worker to the primary. */
export type WorkerMessage =
  /** A worker that is to wait has loaded its code. A `begin` that was sent before would be lost. */
  | { readonly type: 'waiting' }
  /** A worker that boots needs the service's certificate and key. */
  | { readonly type: 'key-pair-wanted' }
  /** The port is 0 for a Unix socket, whose path is the address. */
  | { readonly type: 'ready'; readonly address: string; readonly port: number }
  /** Series to expose at 0 until they are counted; sent before `ready`. */
  | { readonly type: 'foreseen'; readonly series: readonly Foreseen[] }
  /** The boot failed, and would fail again. `message` is for the person who starts the service. */
  | { readonly type: 'boot-failed'; readonly message: string }
  /** A sign of life; with `vitals` while somebody looks. */
  | { readonly type: 'heartbeat'; readonly vitals?: Vitals }
  /** The worker will be silent for `ms`, and is not hung. */
  | { readonly type: 'busy'; readonly ms: number }
  /** The log could not be written, and this many further lines are lost. */
  | { readonly type: 'lines-lost'; readonly lines: number }
  /** An exception that nobody caught. The worker goes on serving until its replacement is ready. */
  | { readonly type: 'failing'; readonly message: string }
  /**
   * The worker has reached a limit of its life, and should be replaced when the service is at full strength.
   */
  | { readonly type: 'worn'; readonly limit: WearLimit }
  /** The worker counts requests in memory from now on, and must be asked for them at every scrape. */
  | { readonly type: 'ledger-failed' }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: string }
  /** A request for a document about the whole service. */
  | { readonly type: 'scrape'; readonly id: number; readonly format: Wanted }
  /** Accompanies an idle connection that another worker should get. */
  | { readonly type: 'hand-over' }
  /** The final snapshot. The worker exits when it is acknowledged. */
  | { readonly type: 'goodbye'; readonly snapshot: string };

/** A message of the primary to a worker. */
export type PrimaryMessage =
  | { readonly type: 'collect'; readonly id: number }
  /** A part of the exposition. Parts come in order. */
  | {
      readonly type: 'exposition';
      readonly id: number;
      readonly asOf: number;
      readonly bytes: Uint8Array;
      readonly last: boolean;
    }
  | { readonly type: 'exposition-failed'; readonly id: number; readonly message: string }
  /** The service is about to stop: readiness becomes 503, and everything is still served. */
  | { readonly type: 'unready' }
  /** A worker that has loaded its code may go on: another one has shown that the service can start. */
  | { readonly type: 'begin' }
  /** The worker must finish. With `handOver` it sends its idle connections to other workers. */
  | {
      readonly type: 'drain';
      readonly graceMs: number;
      readonly timeoutMs: number;
      readonly handOver: boolean;
    }
  /** The service's certificate and key, for a worker that has asked for them. */
  | ({ readonly type: 'key-pair' } & KeyPair)
  /** An order to send vitals with the next heartbeats, because somebody looks at the workers. */
  | { readonly type: 'watched' }
  | { readonly type: 'log-level'; readonly level: LogLevel }
  /** An order for a CPU profile or a heap snapshot, to be delivered to the control socket under this id. */
  | { readonly type: 'profile'; readonly id: number; readonly socket: string; readonly seconds: number }
  | { readonly type: 'heap'; readonly id: number; readonly socket: string }
  /** Accompanies a connection that another worker had. */
  | { readonly type: 'adopt' }
  | { readonly type: 'goodbye-ack' };

type Fields = Readonly<Record<string, unknown>>;

/** Parses a worker's message; undefined for anything else. Never throws. */
export function parseWorkerMessage(value: unknown): WorkerMessage | undefined {
  if (!isFields(value)) return undefined;
  const { type } = value;
  switch (type) {
    case 'heartbeat': {
      const { vitals } = value;
      if (vitals === undefined) return { type };
      return isVitals(vitals) ? { type, vitals } : undefined;
    }
    case 'busy': {
      const { ms } = value;
      return isAmount(ms) ? { type, ms } : undefined;
    }
    case 'waiting':
    case 'key-pair-wanted':
    case 'ledger-failed':
    case 'hand-over':
      return { type };
    case 'ready': {
      const { address, port } = value;
      return isText(address) && isWhole(port) ? { type, address, port } : undefined;
    }
    case 'foreseen': {
      const { series } = value;
      return Array.isArray(series) && series.every(isForeseen) ? { type, series } : undefined;
    }
    case 'boot-failed':
    case 'failing': {
      const { message } = value;
      return isText(message) ? { type, message } : undefined;
    }
    case 'lines-lost': {
      const { lines } = value;
      return isWhole(lines) ? { type, lines } : undefined;
    }
    case 'worn': {
      const limit = WEAR_LIMITS.find((name) => name === value['limit']);
      return limit && { type, limit };
    }
    case 'scrape': {
      const { id, format } = value;
      return isWhole(id) && isWanted(format) ? { type, id, format } : undefined;
    }
    case 'snapshot': {
      const { id, snapshot } = value;
      return isWhole(id) && typeof snapshot === 'string' ? { type, id, snapshot } : undefined;
    }
    case 'goodbye': {
      const { snapshot } = value;
      return typeof snapshot === 'string' ? { type, snapshot } : undefined;
    }
    default:
      return undefined;
  }
}

/** Parses a message of the primary; undefined for anything else. Never throws. */
export function parsePrimaryMessage(value: unknown): PrimaryMessage | undefined {
  if (!isFields(value)) return undefined;
  const { type } = value;
  switch (type) {
    case 'unready':
    case 'begin':
    case 'watched':
    case 'adopt':
    case 'goodbye-ack':
      return { type };
    case 'collect': {
      const { id } = value;
      return isWhole(id) ? { type, id } : undefined;
    }
    case 'exposition': {
      const { id, asOf, bytes, last } = value;
      return isWhole(id) && isAmount(asOf) && bytes instanceof Uint8Array && typeof last === 'boolean'
        ? { type, id, asOf, bytes, last }
        : undefined;
    }
    case 'exposition-failed': {
      const { id, message } = value;
      return isWhole(id) && isText(message) ? { type, id, message } : undefined;
    }
    case 'key-pair': {
      const { cert, key, ca } = value;
      return typeof cert === 'string' &&
        typeof key === 'string' &&
        (ca === undefined || typeof ca === 'string')
        ? { type, cert, key, ca }
        : undefined;
    }
    case 'log-level': {
      const level = LOG_LEVELS.find((name) => name === value['level']);
      return level && { type, level };
    }
    case 'profile': {
      const { id, socket, seconds } = value;
      return isWhole(id) && isText(socket) && isAmount(seconds) ? { type, id, socket, seconds } : undefined;
    }
    case 'heap': {
      const { id, socket } = value;
      return isWhole(id) && isText(socket) ? { type, id, socket } : undefined;
    }
    case 'drain': {
      const { graceMs, timeoutMs, handOver } = value;
      return isAmount(graceMs) && isAmount(timeoutMs) && typeof handOver === 'boolean'
        ? { type, graceMs, timeoutMs, handOver }
        : undefined;
    }
    default:
      return undefined;
  }
}

/** The most characters of a text for people in a message. */
const MAX_TEXT = 100_000;

function isForeseen(value: unknown): value is Foreseen {
  if (!isFields(value)) return false;
  const { method, endpoint, statuses } = value;
  return isText(method) && isText(endpoint) && Array.isArray(statuses) && statuses.every(isWhole);
}

function isWanted(value: unknown): value is Wanted {
  return value === 'text' || value === 'protobuf' || value === 'workers';
}

function isVitals(value: unknown): value is Vitals {
  if (!isFields(value)) return false;
  const { p99Seconds, ...rest } = value;
  const names = ['requestsPerSecond', 'cpu', 'rssBytes', 'eventLoopDelaySeconds'];
  return (p99Seconds === undefined || isAmount(p99Seconds)) && names.every((name) => isAmount(rest[name]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && isAmount(value);
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Infinity;
}
