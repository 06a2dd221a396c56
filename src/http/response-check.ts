import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { Place } from './description.js';
import { parseMediaType } from './media-type.js';
import { Schemas, type Validator } from './validation.js';

/** Throws an error that names the operation if the answer in `ctx` is not what the description declares. */
export type ResponseCheck = (ctx: Context) => void;

interface Response {
  /** By media type or range. A response without any has no content. */
  readonly contents: ReadonlyMap<string, Validator>;
  readonly headers: readonly string[];
}

/** Compiles the check of the answers of one operation: status, media type, required headers, and content. */
export function responseCheck(id: string, responses: Place, schemas: Schemas): ResponseCheck {
  const declared = new Map(
    responses.entries().map(([status, place]) => [status, compileResponse(place, schemas)]),
  );
  return (ctx) => {
    const mismatch = (reason: string) => new Error(`Operation "${id}" answers ${ctx.status} but ${reason}`);
    const response =
      declared.get(String(ctx.status)) ??
      declared.get(`${String(ctx.status)[0]}XX`) ??
      declared.get('default');
    if (!response) throw mismatch('its description has no such status');
    const missing = response.headers.find((name) => !ctx.res.hasHeader(name));
    if (missing) throw mismatch(`without the header ${missing}`);
    if (response.contents.size === 0) {
      if (ctx.body !== null && ctx.body !== undefined)
        throw mismatch('its description has no content for it');
      return;
    }
    const validate = validatorFor(response, ctx.response.get('Content-Type'));
    if (!validate)
      throw mismatch(`with the type "${ctx.response.get('Content-Type')}" that its description has not`);
    const [complaint] = (isStream(ctx.body) ? undefined : validate(valueOf(ctx))) ?? [];
    if (complaint) throw mismatch(`"${complaint.path}" of the body ${complaint.message}`);
  };
}

function compileResponse(place: Place, schemas: Schemas): Response {
  const contents = place
    .at('content')
    .entries()
    .map(([type, content]) => {
      const schema = content.at('schema');
      return [
        type,
        schema.value === undefined ? () => undefined : schemas.compile(schema, Schemas.at(schema)),
      ] as const;
    });
  const headers = place
    .at('headers')
    .entries()
    .filter(([, header]) => header.at('required').boolean());
  return { contents: new Map(contents), headers: headers.map(([name]) => name) };
}

function validatorFor({ contents }: Response, header: string): Validator | undefined {
  const essence = parseMediaType(header)?.essence ?? '';
  return contents.get(essence) ?? contents.get(`${essence.split('/')[0]}/*`) ?? contents.get('*/*');
}

/** A stream is sent as it comes: only its type is checked. */
function isStream(body: unknown): boolean {
  return body instanceof Readable;
}

/** The value that the client will read out of the body. */
function valueOf(ctx: Context): unknown {
  const text =
    typeof ctx.body === 'string' || Buffer.isBuffer(ctx.body) ? String(ctx.body) : JSON.stringify(ctx.body);
  return /[/+]json\b/.test(ctx.response.get('Content-Type')) ? JSON.parse(text) : text;
}
