import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { Operations } from '../generated/operations.js';
import type { OperationSecurity } from '../generated/security.js';
import type { Logger } from '../log.js';

export type { UploadedFile } from './body/multipart-body.js';

/**
 * Gives handlers the types of the service's resources and principals. `src/service.ts` adds its functions
 * `start` and `security`, in a project that depends on the package to 'koa-cluster-metrics/handler':
 *
 *     declare module './http/handler.js' {
 *       interface Provided {
 *         start: typeof start;
 *         security: typeof security;
 *       }
 *     }
 */
// oxlint-disable-next-line typescript/no-empty-interface
export interface Provided {}

/** The type of the value that the service's `start` resolves with. */
export type Resources = Provided extends { start: (...tools: never) => infer Started }
  ? Awaited<Started>
  : undefined;

/** The type of the principal that a scheme's check gives. */
type PrincipalOf<Scheme> = Provided extends { security: infer Checks }
  ? Scheme extends keyof Checks
    ? Checks[Scheme] extends (...args: never) => infer Principal
      ? Exclude<Awaited<Principal>, undefined | null | false>
      : unknown
    : unknown
  : unknown;

/**
 * The type of the principal of one alternative: an object by scheme where it has several schemes,
 * `undefined` where it has none.
 */
type PrincipalOfAll<Schemes> = Schemes extends readonly [infer Scheme]
  ? PrincipalOf<Scheme>
  : Schemes extends readonly []
    ? undefined
    : Schemes extends readonly string[]
      ? { readonly [Scheme in Schemes[number]]: PrincipalOf<Scheme> }
      : never;

/** The operation of a request. */
export interface CalledOperation {
  readonly id: string;
  /** The HTTP method in upper case. */
  readonly method: string;
  /** The path template. */
  readonly path: string;
}

/** Koa's context, with the fields that the service adds. */
export type ServiceContext = Context & {
  /** The value that the service's `start` resolved with. */
  readonly resources: Resources;
  /** A logger whose lines have the ids of the request and of its trace. */
  readonly log: Logger;
  /** The operation of the request. It is set in `afterRouting`, in security functions and in handlers. */
  readonly operation: CalledOperation;
  /** The sender of the request; see `principal` of a handler's request. */
  readonly principal: unknown;
  /** A signal that aborts when this process begins to drain: an open event stream should end then. */
  readonly draining: AbortSignal;
};

/** Takes the context of an app of ours for that of handlers. */
export function serviceContext(ctx: Context): ServiceContext {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the app adds the fields to each context
  return ctx as ServiceContext;
}

/** The declared parameters and the body, validated and converted, and the principal of the request. */
type Request<Id extends keyof Operations> = Omit<Operations[Id], 'response'> & {
  readonly principal: Id extends keyof OperationSecurity ? PrincipalOfAll<OperationSecurity[Id]> : undefined;
};

/** An answer that is already encoded: bytes, or what gives them piece by piece. */
type Encoded =
  Uint8Array | ArrayBuffer | Readable | ReadableStream | Blob | Response | AsyncIterable<string | Uint8Array>;

/** A body that the description declares for a success, as a value or already encoded. */
type Reply<Operation> = Operation extends { response: infer Body } ? Body | Encoded : never;

/**
 * Handles one operation of the API description. Its result is the body. The status is the first
 * success that the description declares, unless the handler sets `ctx.status`. It throws a Problem
 * for a mistake of the client.
 */
export type Handler<Id extends keyof Operations> = (
  request: Request<Id>,
  ctx: ServiceContext,
) => Reply<Operations[Id]> | Promise<Reply<Operations[Id]>>;

/** A handler of any operation. The compiler checks it against its own operation in its own file. */
export type AnyHandler = (request: never, ctx: ServiceContext) => unknown;

/** Handlers by operationId. */
export type Handlers = Readonly<Record<string, AnyHandler>>;
