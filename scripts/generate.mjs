// Writes src/generated of the project in the current folder: a copy of the API description, the types of its operations, and the list of the handlers that there
// are. With both, a handler that disagrees with the description, or is missing, does not compile.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadOpenapi, report } from './openapi.mjs';

const at = (name) => join(process.cwd(), name);

/** Whether the project is the repository of this very package. */
export const OWN =
  realpathSync(process.cwd()) === realpathSync(fileURLToPath(new URL('..', import.meta.url)));

/** Tells the package, whose types know no description, that of the project. */
const PACKAGE_TYPES = `// Tells the package what the API description of this project says.
import type { Operations as Described } from './operations.js';
import type { OperationSecurity as Secured, SchemeCredentials as Credentials } from './security.js';

declare module 'koa-cluster-metrics/operations' {
  interface Operations extends Described {}
}

declare module 'koa-cluster-metrics/security' {
  interface OperationSecurity extends Secured {}
  interface SchemeCredentials extends Credentials {}
}
`;

/**
 * Writes the files whose content has changed. Throws, having said what is wrong, where the description can't be served. The types do not
 * need the compiled schemas: with `check` as `checkButSchemas` these are left to the caller.
 */
export async function generate(check = 'checkDescription') {
  const openapi = loadOpenapi();
  const file = openapi.descriptionFile();
  const checked = openapi[check](file);
  report(checked, { withWarnings: false });
  mkdirSync(at('src/generated/'), { recursive: true });
  const uploads = OWN ? undefined : 'koa-cluster-metrics/handler';
  update('operations.ts', openapi.operationTypes(checked.operations, uploads));
  update('security.ts', openapi.securityTypes(checked));
  update('handlers.ts', handlerList(openapi, checked.operations));
  if (!OWN) update('package-types.ts', PACKAGE_TYPES);
  copyDescription(file, at('src/generated'));
  return { openapi, checked, file };
}

/** The copy that is served has one name, whatever the original has; its files refer to each other as before. */
export function copyDescription(file, folder) {
  cpSync(at('swagger'), join(folder, 'swagger'), { recursive: true });
  cpSync(at(file), join(folder, COPY));
  return join(folder, COPY);
}

const COPY = 'swagger/swagger.yaml';

function update(name, text) {
  const file = at(`src/generated/${name}`);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

/** The files below src/handlers, without extension. */
function handlerFiles() {
  const root = at('src/handlers');
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.d|\.test)\.ts$/.test(entry.name))
    .map(({ parentPath, name }) =>
      relative(root, join(parentPath, name)).replaceAll('\\', '/').slice(0, -'.ts'.length),
    )
    .toSorted();
}

/** Returns the operations that have no handler and need one, each with the file and the name that it is expected to have. */
export function missingHandlers(openapi, operations) {
  const ids = operations.map(({ id }) => id);
  const present = new Set(openapi.findHandlers(ids, handlerFiles()).map(({ id }) => id));
  return openapi
    .handlerNames(ids)
    .map((name, index) => ({ ...name, operation: operations[index] }))
    .filter(({ id, operation }) => !present.has(id) && !openapi.isServiceOperation(operation));
}

function handlerList(openapi, operations) {
  const handlers = openapi.findHandlers(
    operations.map(({ id }) => id),
    handlerFiles(),
  );
  const imports = handlers.map(
    ({ file, name }, index) => `import { ${name} as handler${index} } from '../handlers/${file}.js';\n`,
  );
  // Without the brackets a handler of "__proto__" would be the list's prototype.
  const entries = handlers.map(({ id }, index) => `  [${JSON.stringify(id)}]: handler${index},\n`);
  const own = operations.filter(openapi.isServiceOperation).map(({ id }) => JSON.stringify(id));
  return `// Generated from the files in src/handlers.
import type { Handler } from '${OWN ? '../http/handler.js' : 'koa-cluster-metrics/handler'}';
import type { Operations } from './operations.js';
${imports.join('')}
/** Operations that the service answers where they have no handler. */
type Own = ${own.join(' | ') || 'never'};

type Handlers = { readonly [Id in Exclude<keyof Operations, Own>]: Handler<Id> } & { readonly [Id in Own]?: Handler<Id> };

export const handlers = {
${entries.join('')}} satisfies Handlers;
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await generate().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
