import { type DeclaredBody, declaredBody } from './body.js';
import type { Place } from '../description.js';
import { LOCATIONS, type Parameter, declaredParameter, valuesSchema } from './parameters.js';
import { namesIn } from './paths.js';
import { type DeclaredResponses, type Success, declaredResponses, successOf } from './responses.js';
import { securityOf } from './security.js';
import type { Defaults } from '../schemas/defaults.js';
import type { Schemas } from '../schemas/schemas.js';
import type { Validator } from '../schemas/validation.js';

/** An operation of the API description, ready to be served. */
export interface Operation {
  readonly id: string;
  /** The HTTP method in upper case. */
  readonly method: string;
  /** The template as the description has it, such as `/hello/{name}`. */
  readonly path: string;
  /** The templates under which it is served: `path` below the base path of each server. */
  readonly routes: readonly string[];
  readonly place: Place;
  readonly parameters: readonly Parameter[];
  /** Names of the query parameters that are credentials. */
  readonly queryKeys: readonly string[];
  /**
   * Validates a request without body: `{ path, query, header, cookie }`. `undefined` if
   * there is nothing to validate.
   */
  readonly validate: Validator | undefined;
  readonly body: DeclaredBody | undefined;
  readonly success: Success;
  readonly responses: DeclaredResponses;
  /**
   * The most bytes that a body may have (`x-body-limit`); `undefined` where the limit of the service holds.
   */
  readonly bodyLimit: number | undefined;
  /**
   * The milliseconds for a whole request to arrive (`x-request-timeout`); `undefined` where the time of the
   * service holds.
   */
  readonly requestTimeoutMs: number | undefined;
}

/** The most that REQUEST_TIMEOUT_MS can be, too. */
const MS_OF_A_DAY = 86_400_000;

interface OperationOptions {
  readonly id: string;
  readonly path: string;
  readonly method: string;
  readonly routes: readonly string[];
  readonly place: Place;
  /** The path item, which has the shared parameters. */
  readonly item: Place;
  readonly schemas: Schemas;
  readonly defaults: Defaults;
}

/**
 * Compiles an operation. Mistakes and unsupported features are added to the description's faults; with any of
 * them the result is `undefined`.
 */
export function compileOperation(options: OperationOptions): Operation | undefined {
  const { id, path, method, routes, place, item, schemas, defaults } = options;
  const { description } = place;
  const parameters = description.attempt(() => parametersOf(place, item, path, schemas, defaults)) ?? [];
  const validator = (at: Place, body?: object) => {
    if (parameters.length === 0 && !body) return undefined;
    return schemas.compile(
      at,
      requestSchema(parameters, body, place.at('requestBody').at('required').boolean()),
    );
  };
  const operation = description.attempt(() => ({
    ...validated(declaredBody(place, defaults, validator), () => validator(place)),
    bodyLimit: limitOf(place.own('x-body-limit'), 'bytes', Number.MAX_SAFE_INTEGER),
    requestTimeoutMs: limitOf(place.own('x-request-timeout'), 'milliseconds', MS_OF_A_DAY),
  }));
  const answers = description.attempt(() => ({
    responses: declaredResponses(place.at('responses'), schemas),
    success: successOf(place.at('responses')),
  }));
  const keys = description.attempt(() => queryKeys(place));
  if (!operation || !answers || !keys) return undefined;
  return {
    id,
    method: method.toUpperCase(),
    path,
    routes,
    place,
    parameters,
    queryKeys: keys,
    ...operation,
    ...answers,
  };
}

/**
 * Validates a request without body by the validator of any declared body, which
 * says that the body is missing.
 */
function validated(
  body: DeclaredBody | undefined,
  withoutBody: () => Validator | undefined,
): Pick<Operation, 'body' | 'validate'> {
  const [any] = [...(body?.contents.values() ?? [])].filter(({ kind }) => kind !== 'stream');
  return { body, validate: any ? any.validate : withoutBody() };
}

function limitOf(place: Place, unit: string, most: number): number | undefined {
  const { value } = place;
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= most) return value;
  return place.fail(`must be a number of ${unit} from 1 to ${most}, not ${JSON.stringify(value)}`);
}

function queryKeys(place: Place): string[] {
  const schemes = securityOf(place)
    .flat()
    .map(({ scheme }) => scheme);
  return schemes.filter((scheme) => scheme.in === 'query').map(({ field }) => field);
}

/** Returns the parameters of an operation, with those of its path that it does not declare itself. */
function parametersOf(
  place: Place,
  item: Place,
  path: string,
  schemas: Schemas,
  defaults: Defaults,
): Parameter[] {
  const own = declaredParameters(place.at('parameters'), schemas, defaults);
  const shared = declaredParameters(item.at('parameters'), schemas, defaults).filter(
    (one) => !own.some((other) => isSame(one, other)),
  );
  const parameters = [...shared, ...own];
  const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
  const names = namesIn(path);
  for (const parameter of parameters)
    if (parameter.in === 'path' && !names.includes(parameter.name))
      parameter.place.fail(`path parameter "${parameter.name}" is not in ${path}`);
  for (const name of names) if (!inPath.includes(name)) place.fail(`"{${name}}" of the path is no parameter`);
  return parameters;
}

function declaredParameters(list: Place, schemas: Schemas, defaults: Defaults): Parameter[] {
  const parameters = list
    .entries()
    .filter(([, place]) => !isIgnored(place))
    .flatMap(
      ([, place]) => list.description.attempt(() => declaredParameter(place, schemas, defaults)) ?? [],
    );
  for (const [index, one] of parameters.entries()) {
    if (parameters.slice(0, index).some((other) => isSame(one, other)))
      one.place.fail(`"${one.name}" is declared twice`);
  }
  return parameters;
}

function isSame(one: Parameter, other: Parameter): boolean {
  return one.in === other.in && nameOf(one) === nameOf(other);
}

/** Names of headers have no case (RFC 9110 section 5.1). */
function nameOf({ in: location, name }: Parameter): string {
  return location === 'header' ? name.toLowerCase() : name;
}

const ELSEWHERE = ['accept', 'content-type', 'authorization'];

/**
 * Tells whether a header parameter is ignored, as OpenAPI 3.1 section 4.8.12.1
 * demands: it is described elsewhere.
 */
function isIgnored(parameter: Place): boolean {
  const name = parameter.at('name').value;
  return parameter.at('in').value === 'header' && ELSEWHERE.includes(String(name).toLowerCase());
}

function requestSchema(
  parameters: readonly Parameter[],
  body: object | undefined,
  required: boolean,
): object {
  const locations = LOCATIONS.map((location) => [location, valuesSchema(parameters, location)] as const);
  const properties = { ...Object.fromEntries(locations), ...(body && { body }) };
  return { type: 'object', properties, required: body && required ? ['body'] : [] };
}
