import type { Description, Place } from './description.js';
import { type Declared, operationIds } from './operation-ids.js';
import { type Operation, compileOperation } from './operation.js';
import { checkEqualPaths, checkPath } from './paths.js';
import { Defaults } from './schemas/defaults.js';
import type { Schemas } from './schemas/schemas.js';
import { basePaths } from './servers.js';
import { checkGrammar, isServedMethod } from './source/check.js';

/** The operations of a description, whoever handles them. Throws ContractError at the first thing that is wrong. */
export function compileOperations(description: Description, schemas: Schemas): Operation[] {
  const operations = findOperations(description, schemas);
  description.refuseFaults();
  return operations;
}

/** The operations that can be served; what is wrong with the others is noted in the description. */
export function findOperations(description: Description, schemas: Schemas): Operation[] {
  // What the build has compiled it has checked.
  if (!description.artifact) checkGrammar(description);
  const defaults = new Defaults(schemas);
  const declared = description.attempt(() => declaredOperations(description.root)) ?? [];
  const ids = description.attempt(() => operationIds(declared)) ?? [];
  const operations = declared.flatMap((each, index) => {
    const { path, place, item } = each;
    const routes = description.attempt(() => routesOf(each, description.root)) ?? [];
    return { ...each, id: ids[index] ?? '', path, place, item, routes, schemas, defaults };
  });
  checkEqualPaths(
    operations.flatMap(({ path, item, routes }) => routes.map((route) => ({ route, path, place: item }))),
  );
  return operations.flatMap((each) => description.attempt(() => compileOperation(each)) ?? []);
}

interface DeclaredOperation extends Declared {
  /** Of the path. */
  readonly item: Place;
}

function declaredOperations(root: Place): DeclaredOperation[] {
  return root
    .at('paths')
    .ownEntries()
    .filter(([path]) => path.startsWith('/'))
    .flatMap(([path, item]) => {
      const { description } = item;
      description.attempt(() => checkPath(path, item));
      return (description.attempt(() => operationsOf(item)) ?? []).map(([method, place]) => ({
        path,
        method,
        place,
        item: itemOf(item),
      }));
    });
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'];

/** Those of a path, and of the path item that it refers to. */
function operationsOf(item: Place): [string, Place][] {
  const entries = [...new Map([...(item.target ? item.resolved().entries() : []), ...item.ownEntries()])];
  const others = entries
    .filter(([key]) => key === 'additionalOperations')
    .flatMap(([, place]) => place.entries());
  const found = [...entries.filter(([key]) => METHODS.includes(key)), ...others];
  for (const [method, place] of found)
    if (!isServedMethod(method.toUpperCase()))
      place.fail(`Node ${process.version} can not receive ${method.toUpperCase()}`);
  return found;
}

/** Where `parameters` and `servers` of a path are looked for. */
function itemOf(item: Place): Place {
  const has = (key: string) => item.own(key).value !== undefined;
  return has('parameters') || has('servers') ? item : item.resolved();
}

function routesOf({ path, place, item }: DeclaredOperation, root: Place): string[] {
  return basePaths(place, item, root).map((base) => `${base}${path}`);
}
