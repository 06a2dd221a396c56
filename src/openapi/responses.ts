import type { Place } from './description.js';
import type { Schemas } from './schemas.js';
import type { Validator } from './validation.js';

/** An answer that an operation declares. */
export interface DeclaredResponse {
  /** By media type or range. A response without any has no content. */
  readonly contents: ReadonlyMap<string, Validator>;
  /** The names of those that must be there. */
  readonly headers: readonly string[];
}

/** The answers of an operation, by what its description has for a status: `200`, `2XX` or `default`. */
export type DeclaredResponses = ReadonlyMap<string, DeclaredResponse>;

export function declaredResponses(responses: Place, schemas: Schemas): DeclaredResponses {
  return new Map(responses.entries().map(([status, place]) => [status, declaredResponse(place, schemas)]));
}

function declaredResponse(place: Place, schemas: Schemas): DeclaredResponse {
  const contents = place
    .at('content')
    .entries()
    .map(([type, content]) => {
      const schema = content.at('schema');
      return [
        type,
        schema.value === undefined ? () => undefined : schemas.compile(schema, schema.asSchema),
      ] as const;
    });
  const headers = place
    .at('headers')
    .entries()
    .filter(([, header]) => header.at('required').boolean());
  return { contents: new Map(contents), headers: headers.map(([name]) => name) };
}
