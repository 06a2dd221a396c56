import { Description, type Place } from './description.js';
import type { Handlers } from '../http/handler.js';
import { type Operation, compileOperation } from './operation.js';
import { SERVICE_OPERATIONS } from '../http/service-operations.js';
import { Schemas } from './schemas.js';

/** An API description that fits its handlers, compiled. */
export interface Contract {
  readonly operations: readonly Operation[];
  readonly handlers: Handlers;
  /** The description as it was written, and as what it says. */
  readonly text: string;
  readonly document: Readonly<Record<string, unknown>>;
}

interface ContractOptions {
  /** Path of the description, OpenAPI 3.1 in YAML. */
  readonly description: string;
  readonly handlers: Handlers;
  /** Check what handlers answer as well: a mismatch is a 500. Costs time for every answer. */
  readonly validateResponses: boolean;
}

/**
 * Reads an API description, checks that it can be served by these handlers, and compiles its validators. Throws
 * ContractError, which names file, place and cause, at the first thing that is wrong.
 */
export function loadContract({ description: file, handlers, validateResponses }: ContractOptions): Contract {
  const description = new Description(file);
  const operations = compileOperations(description, new Schemas(description), validateResponses);
  checkHandlers(operations, handlers, description.root);
  return { operations, handlers, text: description.text, document: description.document };
}

/** The operations of a description, whoever handles them. Throws ContractError. */
export function compileOperations(
  description: Description,
  schemas: Schemas,
  validateResponses: boolean,
): Operation[] {
  const { root } = description;
  if (!/^3\.1\.\d+$/.test(String(root.at('openapi').value))) root.at('openapi').fail('must be 3.1.x');
  const paths = root.at('paths');
  if (paths.entries().length === 0) paths.fail('describes no path');
  checkPaths(paths);
  const operations = paths
    .entries()
    .flatMap(([path, item]) =>
      operationsOf(item).map(([method, place]) =>
        compileOperation({ path, method, place, item, schemas, validateResponses }),
      ),
    );
  checkIds(operations);
  return operations;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const OTHER_KEYS = ['summary', 'description', 'servers', 'parameters'];

function operationsOf(item: Place): [string, Place][] {
  for (const [key, place] of item.entries()) {
    if (METHODS.includes(key) || OTHER_KEYS.includes(key) || key.startsWith('x-')) continue;
    place.fail(`"${key}" is neither a method nor anything else that a path can have`);
  }
  return item.entries().filter(([key]) => METHODS.includes(key));
}

function checkIds(operations: readonly Operation[]): void {
  const ids = new Map<string, Operation>();
  for (const operation of operations) {
    const { id, place } = operation;
    const other = ids.get(id);
    if (other)
      place.at('operationId').fail(`"${id}" is also the operationId of ${other.method} ${other.path}`);
    ids.set(id, operation);
  }
}

function checkHandlers(operations: readonly Operation[], handlers: Handlers, root: Place): void {
  for (const { id, place } of operations) {
    const handler: unknown = Object.hasOwn(handlers, id) ? handlers[id] : undefined;
    const isOwn = SERVICE_OPERATIONS.some((own) => own === id);
    if (handler === undefined && !isOwn) place.fail(`operation "${id}" has no handler`);
    if (handler !== undefined && typeof handler !== 'function') {
      place.fail(`the handler of "${id}" is not a function`);
    }
  }
  for (const id of Object.keys(handlers)) {
    if (!operations.some((operation) => operation.id === id))
      root.at('paths').fail(`handler "${id}" has no operation`);
  }
}

/** Every path has a form that the router serves, and no two of them match the same one equally well. */
function checkPaths(paths: Place): void {
  const templates = paths
    .entries()
    .map(([path, place]) => ({ path, place, segments: segmentsOf(path, place) }));
  const templated = templates.filter(({ path }) => path.includes('{'));
  templated.forEach((one, index) => {
    const other = templated.slice(0, index).find(({ segments }) => collide(segments, one.segments));
    if (other) one.place.fail(`matches the same paths as ${other.path}`);
  });
}

function segmentsOf(path: string, place: Place): string[] {
  if (!path.startsWith('/')) place.fail('a path must start with "/"');
  if (/[?#%\s]/.test(path))
    place.fail('a path can not have a query, a fragment, a percent-encoding or a space');
  const segments = path.slice(1).split('/');
  const names = segments.filter((segment) => /[{}]/.test(segment));
  for (const segment of names) {
    if (!/^\{[^{}]+\}$/.test(segment))
      place.fail(`"${segment}": a parameter must be a whole segment of the path`);
  }
  if (new Set(names).size < names.length) place.fail('has the same parameter twice');
  return segments;
}

/** Some path matches both, and neither is the more special one in every segment in which they differ. */
function collide(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  let moreSpecial = 0;
  let lessSpecial = 0;
  for (const [index, segment] of one.entries()) {
    const [first, second] = [segment.startsWith('{'), other[index]?.startsWith('{') ?? false];
    if (!first && !second && segment !== other[index]) return false;
    if (second && !first) moreSpecial += 1;
    if (first && !second) lessSpecial += 1;
  }
  return (moreSpecial === 0) === (lessSpecial === 0);
}
