import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { Operations } from '../generated/operations.js';
import type { OperationSecurity } from '../generated/security.js';
import type { Logger } from '../log.js';

/**
 * Tells handlers the types of what the service provides. `src/service.ts` adds `start` and `security`, its own functions:
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

/** What `start` of the service resolves with. */
export type Resources = Provided extends { start: (...tools: never) => infer Started }
  ? Awaited<Started>
  : undefined;

/** What the check of a scheme gives where it lets a request in. */
type PrincipalOf<Scheme> = Provided extends { security: infer Checks }
  ? Scheme extends keyof Checks
    ? Checks[Scheme] extends (...args: never) => infer Principal
      ? Exclude<Awaited<Principal>, undefined>
      : unknown
    : unknown
  : unknown;

/** Of one alternative of an operation's security: by scheme where it has several, nothing where it has none. */
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
  /** In upper case. */
  readonly method: string;
  /** The path template. */
  readonly path: string;
}

/** Koa's context, with what the service provides. */
export type ServiceContext = Context & {
  /** What `start` of the service resolved with. */
  readonly resources: Resources;
  /** A logger whose lines have the ids of the request and of its trace. */
  readonly log: Logger;
  /** Known behind the routing: in `afterRouting`, in security functions and in handlers. */
  readonly operation: CalledOperation;
  /** Who the request is of; see `principal` of a handler's request. */
  readonly principal: unknown;
  /** Is aborted when this process begins to drain: an open event stream should end then. */
  readonly draining: AbortSignal;
};

/** The declared parameters and the body, validated and converted, and who the request is of. */
type Request<Id extends keyof Operations> = Omit<Operations[Id], 'response'> & {
  readonly principal: Id extends keyof OperationSecurity ? PrincipalOfAll<OperationSecurity[Id]> : undefined;
};

/** A body that the description declares for a success, as a value or already encoded. */
type Reply<Operation> = Operation extends { response: infer Body } ? Body | Readable | Buffer : never;

/**
 * Handles one operation of the API description. What it returns is the body; the status is the first success that
 * the description declares unless the handler sets `ctx.status`. It throws a Problem for what the client did wrong.
 */
export type Handler<Id extends keyof Operations> = (
  request: Request<Id>,
  ctx: ServiceContext,
) => Reply<Operations[Id]> | Promise<Reply<Operations[Id]>>;

/** A handler of any operation. Whether it is the one for its operation is checked where it is written. */
export type AnyHandler = (request: never, ctx: ServiceContext) => unknown;

/** Handlers by operationId. */
export type Handlers = Readonly<Record<string, AnyHandler>>;
