import type { BodyContent } from '../operations/body.js';
import { isJson } from '../media-type.js';
import type { Operation } from '../operations/operation.js';
import { LOCATIONS, type Parameter } from '../operations/parameters.js';
import { keywordOf } from '../schemas/conjuncts.js';
import { SchemaTypes, field, joined } from './schema-type.js';

/**
 * Writes the TypeScript types of operations: the input of each one's handler, and
 * the answers that it may return. `uploads` is the module of the type of uploaded files.
 */
export function operationTypes(
  operations: readonly Operation[],
  uploads = '../http/body/multipart-body.js',
): string {
  const types = new SchemaTypes();
  const fields = operations.map(
    (operation) => `${field(operation.id, operationType(operation, types), true)};`,
  );
  const body = fields.join('\n').replaceAll('\n', '\n  ');
  const text = `export interface Operations {\n  ${body}\n}\n\n${types.declarations}\n`;
  const modules = { Readable: 'node:stream', UploadedFile: uploads };
  const imports = Object.entries(modules).map(([name, from]) =>
    types.imported.has(name) ? `import type { ${name} } from '${from}';\n` : '',
  );
  return `// Generated from the API description.\n${imports.join('')}\n${text}`;
}

function operationType(operation: Operation, types: SchemaTypes): string {
  const locations = LOCATIONS.map((location) =>
    field(
      location,
      object(operation.parameters.filter((one) => one.in === location).map((one) => parameter(one, types))),
      true,
    ),
  );
  return object([
    ...locations,
    ...bodyField(operation, types),
    field('response', response(operation, types), true),
  ]);
}

function object(fields: readonly string[]): string {
  if (fields.length === 0) return '{}';
  return `{\n${fields.map((each) => `  ${each.replaceAll('\n', '\n  ')};`).join('\n')}\n}`;
}

function parameter(
  { name, schema, required, fallback, allowEmptyValue }: Parameter,
  types: SchemaTypes,
): string {
  const type = types.of(schema, 'request');
  return field(name, allowEmptyValue ? `${type} | ''` : type, required || fallback !== undefined);
}

function bodyField({ body, place }: Operation, types: SchemaTypes): string[] {
  if (!body) return [];
  const contents = place.at('requestBody').at('content').entries();
  const all = contents.map(([, content], index) => {
    const read = [...body.contents.values()][index];
    return read ? contentType(read, content.own('schema'), types) : 'unknown';
  });
  return [field('body', joined(all, ' | ')[0] ?? 'unknown', body.required)];
}

function contentType({ kind, files }: BodyContent, schema: Parameter['schema'], types: SchemaTypes): string {
  if (kind === 'stream') return types.foreign('Readable');
  if (schema.value === undefined) return kind === 'text' ? 'string' : 'unknown';
  const type = types.of(schema, 'request');
  if (files.size === 0) return type;
  const required = new Set([keywordOf(schema, 'required')?.value].flat());
  const names = [...files.keys()].map((name) => JSON.stringify(name)).join(' | ');
  const file = types.foreign('UploadedFile');
  const parts = [...files].map(([name, isList]) =>
    field(name, isList ? `${file}[]` : file, required.has(name)),
  );
  return `(Omit<${type}, ${names}> & ${object(parts)})`;
}

/**
 * Writes the type that a handler may return: any content of a success, and nothing where an answer
 * without content is declared.
 */
function response({ place }: Operation, types: SchemaTypes): string {
  const declared = place.at('responses').entries();
  const successes = declared.filter(([status]) => /^[23]/.test(status));
  const used = successes.some(([status]) => status.startsWith('2'))
    ? successes
    : [...successes, ...declared.filter(([status]) => status === 'default')];
  const all = used.flatMap(([, answer]) => {
    const contents = answer.at('content').entries();
    if (contents.length === 0) return ['undefined'];
    return contents.map(([type, content]) => answerType(type, content.own('schema'), types));
  });
  const [type = 'unknown'] = joined(all, ' | ');
  return type === 'undefined' ? 'void' : type;
}

function answerType(mediaType: string, schema: Parameter['schema'], types: SchemaTypes): string {
  if (!isJson(mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '') && !mediaType.includes('*'))
    return 'string';
  return schema.value === undefined ? 'unknown' : types.of(schema, 'response');
}
