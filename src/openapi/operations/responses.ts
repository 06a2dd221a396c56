import type { Place } from '../description.js';
import { UTF8, essenceOf, fullTypeOf, isJson, parseMediaType } from '../media-type.js';
import type { Schemas } from '../schemas/schemas.js';
import { shapeOf } from '../schemas/shape.js';
import type { Validator } from '../schemas/validation.js';

/** An answer that an operation declares. */
export interface DeclaredResponse {
  /** Validators by media type or range, with its parameters. Empty where the response has no content. */
  readonly contents: ReadonlyMap<string, Validator>;
  /** Names of the headers that a response must have. */
  readonly headers: readonly string[];
}

/** The answers of an operation, by the key of its description: `200`, `2XX` or `default`. */
export type DeclaredResponses = ReadonlyMap<string, DeclaredResponse>;

export function declaredResponses(responses: Place, schemas: Schemas): DeclaredResponses {
  const statuses = responses.entries().filter(([status]) => !status.startsWith('x-'));
  return new Map(
    statuses.map(([status, place]) => [statusOf(status, place), declaredResponse(place, schemas)]),
  );
}

function statusOf(status: string, place: Place): string {
  if (status === 'default' || /^[1-5](?:\d\d|XX)$/.test(status)) return status;
  const range = status.toUpperCase();
  return /^[1-5]XX$/.test(range)
    ? range
    : place.fail(`"${status}" is no status, such as 200, 4XX or default`);
}

/**
 * Headers that an answer gets when it is sent. That of the type is to be ignored (OpenAPI, "Response
 * Object").
 */
const SET_LATER: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'date',
]);

function declaredResponse(place: Place, schemas: Schemas): DeclaredResponse {
  const contents = place
    .at('content')
    .entries()
    .map(
      ([type, content]) =>
        [fullTypeOf(type), contentValidator(essenceOf(type), content.own('schema'), schemas)] as const,
    );
  const headers = place
    .at('headers')
    .entries()
    .filter(([name, header]) => header.at('required').boolean() && !SET_LATER.has(name.toLowerCase()));
  return { contents: new Map(contents), headers: headers.map(([name]) => name) };
}

const anything: Validator = () => undefined;

/**
 * Validates JSON and text. An answer of another type is not checked: its schema
 * describes no value that we have.
 */
function contentValidator(essence: string, schema: Place, schemas: Schemas): Validator {
  if (schema.value === undefined) return anything;
  if (!isJson(essence) && !essence.includes('*')) {
    const { types } = shapeOf(schema);
    if (!essence.startsWith('text/') || (types.size > 0 && !types.has('string'))) return anything;
  }
  return schemas.compile(schema, schema.asSchema('response'));
}

/** Status and media type of an operation's successful answer. */
export interface Success {
  readonly status: number;
  /** The first media type or range, with its parameters; `undefined` if the answer has no content. */
  readonly type: string | undefined;
  /** The same with its charset, where that is not UTF-8: bytes may be text in it. */
  readonly typeOfBytes?: string;
}

/**
 * Returns the first success that is declared by number; else 200 for a `2XX` or `default`; else
 * the first redirect; else 200.
 */
export function successOf(responses: Place): Success {
  const statuses = responses.entries().filter(([status]) => !status.startsWith('x-'));
  const found = (pattern: RegExp) => statuses.find(([status]) => pattern.test(status));
  const [key, place] = found(/^2\d\d$/) ?? found(/^2XX$/i) ?? found(/^default$/) ?? found(/^3\d\d$/) ?? [];
  const [type] = place?.at('content').entries()[0] ?? [];
  const status = Number(key) || 200;
  if (type === undefined) return { status, type };
  const { full, charset = 'utf-8' } = parseMediaType(type.trim()) ?? {};
  const success = { status, type: fullTypeOf(type) };
  return UTF8.has(charset) || isJson(essenceOf(type))
    ? success
    : { ...success, typeOfBytes: `${full}; charset=${charset}` };
}
