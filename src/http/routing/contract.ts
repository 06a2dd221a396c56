import { Description, type Place } from '../../openapi/description.js';
import type { Operation } from '../../openapi/operations/operation.js';
import { compileOperations } from '../../openapi/operations/operations.js';
import { Schemas } from '../../openapi/schemas/schemas.js';
import type { Handlers } from '../handler.js';
import { isServiceOperation } from '../../openapi/operations/service-operations.js';

/** An API description that fits its handlers, compiled. */
export interface Contract {
  readonly operations: readonly Operation[];
  readonly handlers: Handlers;
  /** The description as text and as parsed document. */
  readonly text: string;
  readonly document: Readonly<Record<string, unknown>>;
}

interface ContractOptions {
  /** The path of the description: OpenAPI 3.0 or 3.1, in YAML or JSON, in one file or several. */
  readonly description: string;
  readonly handlers: Handlers;
}

/**
 * Reads an API description, checks that it can be served by these handlers, and compiles its validators.
 * Throws ContractError, which names file, place and cause, for the first mistake.
 */
export function loadContract({ description: file, handlers }: ContractOptions): Contract {
  const description = new Description(file);
  const operations = compileOperations(description, new Schemas(description));
  checkHandlers(operations, handlers, description.root);
  return { operations, handlers, text: description.text, document: description.document };
}

function checkHandlers(operations: readonly Operation[], handlers: Handlers, root: Place): void {
  for (const operation of operations) {
    const { id, place } = operation;
    const handler: unknown = Object.hasOwn(handlers, id) ? handlers[id] : undefined;
    if (handler === undefined && !isServiceOperation(operation))
      place.fail(`operation "${id}" has no handler`);
    if (handler !== undefined && typeof handler !== 'function') {
      place.fail(`the handler of "${id}" is not a function`);
    }
  }
  for (const id of Object.keys(handlers)) {
    if (!operations.some((operation) => operation.id === id))
      root.at('paths').fail(`handler "${id}" has no operation`);
  }
}
