// Writes src/generated of the project in the current folder: a copy of the API description, the types of its operations, and the list of the handlers that there
// are. With both, a handler that disagrees with the description, or is missing, does not compile.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';
import { parse } from 'yaml';
import { securityTypes } from './security-types.mjs';

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

const at = (name) => join(process.cwd(), name);
const object = (properties, required) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** Writes the files whose content has changed. */
export async function generate() {
  mkdirSync(at('src/generated/'), { recursive: true });
  update('operations.ts', await typesOf('swagger/swagger.yaml'));
  update('security.ts', securityTypes(parse(readFileSync(at('swagger/swagger.yaml'), 'utf8'))));
  update('handlers.ts', handlerList());
  cpSync(at('swagger/'), at('src/generated/swagger/'), { recursive: true });
}

async function typesOf(name) {
  try {
    return await operationTypes(parse(readFileSync(at(name), 'utf8')));
  } catch (cause) {
    throw new Error(`${name}: ${cause.message}`, { cause });
  }
}

function update(name, text) {
  const file = at(`src/generated/${name}`);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

async function operationTypes(document) {
  const resolve = (value) =>
    value?.$ref === undefined
      ? value
      : resolve(
          value.$ref
            .slice(2)
            .split('/')
            .reduce((node, key) => node?.[unescape(key)], document),
        );
  const operations = Object.values(document.paths).flatMap((item) =>
    METHODS.filter((method) => item[method]).map((method) => operation(item[method], item, resolve)),
  );
  const schema = {
    ...object(
      Object.fromEntries(operations),
      operations.map(([id]) => id),
    ),
    components: document.components,
  };
  return compile(schema, 'Operations', {
    bannerComment: '// Generated from swagger/swagger.yaml.',
    additionalProperties: true,
    format: false,
    unknownAny: true,
  });
}

function unescape(key) {
  return decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~');
}

function operation(described, item, resolve) {
  const parameters = [...(item.parameters ?? []), ...(described.parameters ?? [])].map(resolve);
  const locations = ['path', 'query', 'header', 'cookie'].map((location) => {
    const here = parameters.filter((parameter) => parameter.in === location);
    const schemas = Object.fromEntries(here.map(({ name, schema }) => [name, schema]));
    const present = here.filter(({ required, schema }) => required || resolve(schema).default !== undefined);
    return [
      location,
      object(
        schemas,
        present.map(({ name }) => name),
      ),
    ];
  });
  const body = resolve(described.requestBody);
  const bodies = Object.values(body?.content ?? {}).map(({ schema }) => schema);
  const request = { ...Object.fromEntries(locations), ...(body && { body: { anyOf: bodies } }) };
  const required = [
    ...Object.keys(request).filter((key) => key !== 'body'),
    ...(body?.required ? ['body'] : []),
    'response',
  ];
  return [described.operationId, object({ ...request, response: responses(described, resolve) }, required)];
}

/** What a handler may return: any content of a success. Without content, nothing. */
function responses(described, resolve) {
  const successes = Object.entries(described.responses).filter(([status]) => status.startsWith('2'));
  const contents = successes.flatMap(([, response]) => Object.entries(resolve(response).content ?? {}));
  if (contents.length === 0) return { tsType: 'void' };
  return {
    anyOf: contents.map(([type, { schema }]) =>
      /[/+]json$/.test(type) ? (schema ?? {}) : { tsType: 'string' },
    ),
  };
}

/** Each file in src/handlers holds the handler that its name says: `get-user.ts` exports `getUser`. */
function handlerList() {
  const files = readdirSync(at('src/handlers/'))
    .filter((name) => name.endsWith('.ts'))
    .toSorted();
  const handlers = files.map((name) => {
    const file = name.slice(0, -'.ts'.length);
    return { file, id: file.replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase()) };
  });
  return `// Generated from the files in src/handlers.
import type { Handler } from '../http/handler.js';
import type { ServiceOperation } from '../http/service-operations.js';
import type { Operations } from './operations.js';
${handlers.map(({ file, id }) => `import { ${id} } from '../handlers/${file}.js';\n`).join('')}
type Handlers = { readonly [Id in Exclude<keyof Operations, ServiceOperation>]: Handler<Id> } & {
  readonly [Id in keyof Operations & ServiceOperation]?: Handler<Id>;
};

export const handlers = { ${handlers.map(({ id }) => id).join(', ')} } satisfies Handlers;
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await generate();
