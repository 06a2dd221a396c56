import { type BodyFormat, bodyFormat } from '../http/body.js';
import type { Place } from './description.js';
import {
  LOCATIONS,
  type Location,
  type Parameter,
  type ParameterReader,
  declaredParameter,
  parameterReaders,
  valuesSchema,
} from './parameters.js';
import { type ResponseCheck, responseCheck } from './response-check.js';
import { Schemas } from './schemas.js';
import type { Validator } from './validation.js';

/** One operation of the API description, ready to be served. */
export interface Operation {
  readonly id: string;
  /** In upper case. */
  readonly method: string;
  /** The template, such as `/hello/{name}`. */
  readonly path: string;
  readonly place: Place;
  readonly readers: Readonly<Record<Location, ParameterReader>>;
  /** Of a request without body: `{ path, query, header, cookie }`. Not there if there is nothing to validate. */
  readonly validate: Validator | undefined;
  readonly body: BodyContents | undefined;
  /** The status of a success, and its media type if it has content. */
  readonly success: { readonly status: number; readonly type: string | undefined };
  /** Not there unless answers are to be checked. */
  readonly check: ResponseCheck | undefined;
}

/** By media type: the format of such a body, and the validator of a request that has it. */
type BodyContents = ReadonlyMap<string, { readonly format: BodyFormat; readonly validate: Validator }>;

interface OperationOptions {
  readonly path: string;
  readonly method: string;
  readonly place: Place;
  /** Of the path. */
  readonly item: Place;
  readonly schemas: Schemas;
  readonly validateResponses: boolean;
}

/** Compiles an operation. Throws ContractError for what is wrong with it or not supported. */
export function compileOperation(options: OperationOptions): Operation {
  const { path, method, place, item, schemas, validateResponses } = options;
  const id = place.at('operationId').string() ?? place.fail('has no operationId');
  const parameters = parametersOf(place, item, path);
  const body = bodyOf(place, parameters, schemas);
  return {
    id,
    method: method.toUpperCase(),
    path,
    place,
    readers: parameterReaders(parameters),
    validate: parameters.length > 0 ? schemas.compile(place, requestSchema(parameters)) : undefined,
    body,
    success: successOf(place),
    check: validateResponses ? responseCheck(id, place.at('responses'), schemas) : undefined,
  };
}

/** Those of the operation, and those of its path that it does not state itself. */
function parametersOf(place: Place, item: Place, path: string): Parameter[] {
  const own = declaredParameters(place.at('parameters'));
  const shared = declaredParameters(item.at('parameters')).filter(
    (one) => !own.some((other) => isSame(one, other)),
  );
  const parameters = [...shared, ...own].filter(({ in: location, name }) => !isIgnored(location, name));
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
  const parameters = list.entries().map(([, place]) => declaredParameter(place));
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
function isIgnored(location: Location, name: string): boolean {
  return location === 'header' && ['accept', 'content-type', 'authorization'].includes(name.toLowerCase());
}

function requestSchema(parameters: readonly Parameter[], body?: Place, required = false): object {
  const locations = LOCATIONS.map((location) => [location, valuesSchema(parameters, location)] as const);
  const properties = { ...Object.fromEntries(locations), ...(body && { body: Schemas.at(body) }) };
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
      const format = bodyFormat(type) ?? content.fail(`a body of type ${type} is not supported`);
      const schema = content.at('schema');
      if (schema.value === undefined) content.fail('has no schema: nothing would be validated');
      return [
        type,
        { format, validate: schemas.compile(content, requestSchema(parameters, schema, required)) },
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
