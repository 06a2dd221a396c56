import type { Place } from './description.js';
import { type BodyKind, bodyKind } from './media-type.js';
import { LOCATIONS, type Parameter, declaredParameter, valuesSchema } from './parameters.js';
import { type DeclaredResponses, declaredResponses } from './responses.js';
import type { Schemas } from './schemas.js';
import type { Validator } from './validation.js';

/** One operation of the API description, ready to be served. */
export interface Operation {
  readonly id: string;
  /** In upper case. */
  readonly method: string;
  /** The template, such as `/hello/{name}`. */
  readonly path: string;
  readonly place: Place;
  readonly parameters: readonly Parameter[];
  /** Of a request without body: `{ path, query, header, cookie }`. Not there if there is nothing to validate. */
  readonly validate: Validator | undefined;
  readonly body: BodyContents | undefined;
  /** The status of a success, and its media type if it has content. */
  readonly success: { readonly status: number; readonly type: string | undefined };
  readonly responses: DeclaredResponses;
}

/** By media type: what such a body is, and the validator of a request that has it. */
type BodyContents = ReadonlyMap<string, { readonly kind: BodyKind; readonly validate: Validator }>;

interface OperationOptions {
  readonly path: string;
  readonly method: string;
  readonly place: Place;
  /** Of the path. */
  readonly item: Place;
  readonly schemas: Schemas;
}

/** Compiles an operation. Throws ContractError for what is wrong with it or not supported. */
export function compileOperation(options: OperationOptions): Operation {
  const { path, method, place, item, schemas } = options;
  const id = place.at('operationId').string() ?? place.fail('has no operationId');
  const parameters = parametersOf(place, item, path);
  const body = bodyOf(place, parameters, schemas);
  return {
    id,
    method: method.toUpperCase(),
    path,
    place,
    parameters,
    validate: parameters.length > 0 ? schemas.compile(place, requestSchema(parameters)) : undefined,
    body,
    success: successOf(place),
    responses: declaredResponses(place.at('responses'), schemas),
  };
}

/** Those of the operation, and those of its path that it does not state itself. */
function parametersOf(place: Place, item: Place, path: string): Parameter[] {
  const own = declaredParameters(place.at('parameters'));
  const shared = declaredParameters(item.at('parameters')).filter(
    (one) => !own.some((other) => isSame(one, other)),
  );
  const parameters = [...shared, ...own];
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  for (const { place: declared, name } of inPath) {
    if (!path.split('/').includes(`{${name}}`)) declared.fail(`path parameter "${name}" is not in ${path}`);
  }
  for (const [, name] of path.matchAll(/\{([^{}]+)\}/g)) {
    if (!inPath.some((parameter) => parameter.name === name))
      place.fail(`"{${name}}" of the path is no parameter`);
  }
  return parameters;
}

function declaredParameters(list: Place): Parameter[] {
  const parameters = list
    .entries()
    .filter(([, place]) => !isIgnored(place))
    .map(([, place]) => declaredParameter(place));
  for (const [index, one] of parameters.entries()) {
    if (parameters.slice(0, index).some((other) => isSame(one, other)))
      one.place.fail(`"${one.name}" is declared twice`);
  }
  return parameters;
}

function isSame(one: Parameter, other: Parameter): boolean {
  return one.in === other.in && one.name === other.name;
}

/** OpenAPI 3.1 section 4.8.12.1: these are described elsewhere. */
function isIgnored(parameter: Place): boolean {
  const name = parameter.at('name').value;
  return parameter.at('in').value === 'header' && ELSEWHERE.includes(String(name).toLowerCase());
}

const ELSEWHERE = ['accept', 'content-type', 'authorization'];

function requestSchema(parameters: readonly Parameter[], body?: Place, required = false): object {
  const locations = LOCATIONS.map((location) => [location, valuesSchema(parameters, location)] as const);
  const properties = { ...Object.fromEntries(locations), ...(body && { body: body.asSchema }) };
  return { type: 'object', properties, required: required ? ['body'] : [] };
}

function bodyOf(place: Place, parameters: readonly Parameter[], schemas: Schemas): BodyContents | undefined {
  const declared = place.at('requestBody');
  if (declared.value === undefined) return undefined;
  const required = declared.at('required').boolean();
  const contents = declared
    .at('content')
    .entries()
    .map(([type, content]) => {
      const kind = bodyKind(type) ?? content.fail(`a body of type ${type} is not supported`);
      const schema = content.at('schema');
      if (schema.value === undefined) content.fail('has no schema: nothing would be validated');
      return [
        type,
        { kind, validate: schemas.compile(content, requestSchema(parameters, schema, required)) },
      ] as const;
    });
  if (contents.length === 0) declared.fail('has no content');
  return new Map(contents);
}

function successOf(place: Place): Operation['success'] {
  const responses = place.at('responses').entries();
  if (responses.length === 0) place.fail('has no responses');
  const status = responses.map(([key]) => Number(key)).find((code) => code >= 200 && code < 300) ?? 200;
  const [type] = place.at('responses').at(String(status)).at('content').entries()[0] ?? [];
  return { status, type };
}
