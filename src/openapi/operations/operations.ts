import type { Description, Place } from '../description.js';
import { type Declared, operationIds } from './operation-ids.js';
import { type Operation, compileOperation } from './operation.js';
import { checkEqualPaths, checkPath } from './paths.js';
import { Defaults } from '../schemas/defaults.js';
import type { Schemas } from '../schemas/schemas.js';
import { basePaths } from './servers.js';
import { checkGrammar, isServedMethod } from '../source/check.js';

/**
 * Compiles all operations of a description, with or without a handler. Throws
 * ContractError for the first mistake.
 */
export function compileOperations(description: Description, schemas: Schemas): Operation[] {
  const operations = findOperations(description, schemas);
  description.refuseFaults();
  return operations;
}

/** Finds the operations that can be served. Mistakes in the others are added to the description's faults. */
export function findOperations(description: Description, schemas: Schemas): Operation[] {
  // The build checks a description before it compiles it: a second check would only make the start slower.
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
  return operations.flatMap((each) => {
    const item = itemWith('parameters', each.item);
    return description.attempt(() => compileOperation({ ...each, item })) ?? [];
  });
}

interface DeclaredOperation extends Declared {
  /** The path item in `paths`, which can refer to another one. */
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
        item,
      }));
    });
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'];

/** Lists method and place of each operation of a path, and of the path item that it refers to. */
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

/**
 * Returns the path item whose `parameters` or `servers` count: the one in `paths`, else the one it refers to.
 */
function itemWith(field: 'parameters' | 'servers', item: Place): Place {
  return item.own(field).value === undefined ? item.resolved() : item;
}

function routesOf({ path, place, item }: DeclaredOperation, root: Place): string[] {
  return basePaths(place, itemWith('servers', item), root).map((base) => `${base}${path}`);
}
