import type { Middleware } from 'koa';
import type { Config } from '../config.js';
import type { SchemeCredentials } from '../generated/security.js';
import type { Logger } from '../log.js';
import type { Handlers } from './handler.js';
import type { SecurityCheck } from './security.js';

/** The argument of `start`. */
export interface StartTools {
  readonly log: Logger;
  readonly config: Config;
}

interface Served {
  /** Path of the OpenAPI description. */
  readonly description: string;
  /** Handlers by operationId. */
  readonly handlers: Handlers;
  /**
   * Koa middleware around all operations, outermost first. It is measured: a request that it answers itself
   * is counted under the path template that the request matches.
   */
  readonly middleware?: readonly Middleware[];
  /**
   * Koa middleware between the routing and the body, for authorisation and quotas by operation.
   * `ctx.operation` and `ctx.principal` are set, and the body has not been read.
   */
  readonly afterRouting?: readonly Middleware[];
  /**
   * A function for each security scheme that operations require, which checks the credentials. It gives the
   * principal, or `undefined` for a 401, or throws `new Problem(403, …)`. Any other error is a 500. The
   * service does not start if one is missing.
   */
  readonly security?: {
    readonly [Scheme in keyof SchemeCredentials]?: SecurityCheck<SchemeCredentials[Scheme]>;
  };
}

/** A service: its description and handlers, and the resources that they need. */
export interface ServiceDefinition<Started> extends Served {
  /**
   * Makes the resources of handlers, such as a pool, in each worker before it is ready. Handlers get them as
   * `ctx.resources`. It may take WORKER_TIMEOUT_MS. If it throws, the service does not start.
   */
  readonly start?: (tools: StartTools) => Started | Promise<Started>;
  /**
   * Named checks of `/readyz`, which fail by throwing, by giving `false`, or by taking longer than 2 s. They
   * run together, once a second at most. `/livez` does not depend on them.
   */
  readonly ready?: Readonly<Record<string, (resources: Started) => unknown>>;
  /**
   * Ends the resources that `start` made, after the last answer and within
   * SHUTDOWN_TIMEOUT_MS. Its promise is awaited.
   */
  readonly stop?: (resources: Started) => unknown;
}

/** A service with resources of any type. */
export interface Service extends Served {
  readonly start?: (tools: StartTools) => unknown;
  readonly ready?: Readonly<Record<string, (resources: never) => unknown>>;
  readonly stop?: (resources: never) => unknown;
}

/** Returns the service unchanged, with its types checked and inferred. */
export function defineService<Started = undefined>(definition: ServiceDefinition<Started>): Service {
  return definition;
}

/** A service, or a function that loads it. A primary loads none. */
export type ServiceSource = Service | (() => Service | Promise<Service>);

export async function loadService(source: ServiceSource): Promise<Service> {
  return typeof source === 'function' ? source() : source;
}

const FIELDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    description: 'string',
    handlers: 'object',
    middleware: 'list',
    afterRouting: 'list',
    security: 'object',
    start: 'function',
    ready: 'object',
    stop: 'function',
  }),
);

/** A service that can't be started: one line for the person who wrote it. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
}

/**
 * Checks the fields of an object that may be written in JavaScript. Throws ServiceError with the field's
 * name.
 * @param fields the types of the fields that there may be
 */
export function checkFields(owner: string, object: object, fields: ReadonlyMap<string, string>): void {
  for (const [field, value] of Object.entries(object) as [string, unknown][]) {
    const expected = fields.get(field);
    if (expected === undefined)
      throw new ServiceError(
        `${owner} has a field "${field}"; it can have ${[...fields.keys()].join(', ')}.`,
      );
    const got = Array.isArray(value) ? 'list' : typeof value;
    if (value !== undefined && got !== expected)
      throw new ServiceError(`"${field}" of ${owner.toLowerCase()} must be a ${expected}, and is a ${got}.`);
  }
}

/**
 * Checks a service that may be written in JavaScript. Throws ServiceError with the field's name, and the
 * expected and the actual type.
 */
export function checkService(service: Service): void {
  checkFields('The service', service, FIELDS);
  for (const field of ['description', 'handlers'] as const)
    if (service[field] === undefined) throw new ServiceError(`The service has no "${field}".`);
}
