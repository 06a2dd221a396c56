import { SCHEMA_KEYWORDS } from './schema-keywords.js';

/**
 * The kinds of object in an OpenAPI 3.1 document, with the fields of each (and the fields of 3.2 that are
 * served or refused by name). A field is the name of an object or of a primitive, `[…]` a list of them, `{…}`
 * a mapping to them. `text` is for people: a mistake in it does no harm. Everything else is data, in which
 * even `$ref` is a plain word.
 */
export type Kind = keyof typeof GRAMMAR;

export const GRAMMAR = {
  document: {
    openapi: 'string',
    $self: 'string',
    info: 'info',
    jsonSchemaDialect: 'dialect',
    servers: '[server]',
    paths: 'paths',
    webhooks: '{pathItem}',
    components: 'components',
    security: '[requirement]',
    tags: '[tag]',
    externalDocs: 'externalDocs',
  },
  info: {
    title: 'text',
    summary: 'text',
    description: 'text',
    termsOfService: 'text',
    contact: 'any',
    license: 'any',
    version: 'text',
  },
  server: { url: 'string', name: 'text', description: 'text', variables: '{serverVariable}' },
  serverVariable: { enum: '[string]', default: 'string', description: 'text' },
  paths: {},
  components: {
    schemas: '{schema}',
    responses: '{response}',
    parameters: '{parameter}',
    examples: '{example}',
    requestBodies: '{requestBody}',
    headers: '{header}',
    securitySchemes: '{securityScheme}',
    links: '{link}',
    callbacks: '{callback}',
    pathItems: '{pathItem}',
    mediaTypes: '{mediaType}',
  },
  pathItem: {
    $ref: 'string',
    summary: 'text',
    description: 'text',
    get: 'operation',
    put: 'operation',
    post: 'operation',
    delete: 'operation',
    options: 'operation',
    head: 'operation',
    patch: 'operation',
    trace: 'operation',
    query: 'operation',
    additionalOperations: '{operation}',
    servers: '[server]',
    parameters: '[parameter]',
  },
  operation: {
    tags: '[text]',
    summary: 'text',
    description: 'text',
    externalDocs: 'externalDocs',
    operationId: 'string',
    parameters: '[parameter]',
    requestBody: 'requestBody',
    responses: 'responses',
    callbacks: '{callback}',
    deprecated: 'boolean',
    security: '[requirement]',
    servers: '[server]',
  },
  externalDocs: { description: 'text', url: 'text' },
  parameter: {
    $ref: 'string',
    summary: 'text',
    name: 'string',
    in: 'string',
    description: 'text',
    required: 'boolean',
    deprecated: 'boolean',
    allowEmptyValue: 'boolean',
    style: 'string',
    explode: 'boolean',
    allowReserved: 'boolean',
    schema: 'schema',
    example: 'any',
    examples: '{example}',
    content: '{mediaType}',
  },
  header: {
    $ref: 'string',
    summary: 'text',
    description: 'text',
    required: 'boolean',
    deprecated: 'boolean',
    allowEmptyValue: 'boolean',
    style: 'string',
    explode: 'boolean',
    allowReserved: 'boolean',
    schema: 'schema',
    example: 'any',
    examples: '{example}',
    content: '{mediaType}',
  },
  requestBody: {
    $ref: 'string',
    summary: 'text',
    description: 'text',
    content: '{mediaType}',
    required: 'boolean',
  },
  mediaType: {
    $ref: 'string',
    summary: 'text',
    description: 'text',
    schema: 'schema',
    itemSchema: 'schema',
    example: 'any',
    examples: '{example}',
    encoding: '{encoding}',
    prefixEncoding: '[encoding]',
    itemEncoding: 'encoding',
  },
  encoding: {
    contentType: 'string',
    headers: '{header}',
    style: 'string',
    explode: 'boolean',
    allowReserved: 'boolean',
    encoding: '{encoding}',
    prefixEncoding: '[encoding]',
    itemEncoding: 'encoding',
  },
  responses: {},
  response: {
    $ref: 'string',
    summary: 'text',
    description: 'text',
    headers: '{header}',
    content: '{mediaType}',
    links: '{link}',
  },
  callback: {},
  example: {
    $ref: 'string',
    summary: 'text',
    description: 'text',
    value: 'any',
    dataValue: 'any',
    serializedValue: 'text',
    externalValue: 'text',
  },
  link: {
    $ref: 'string',
    summary: 'text',
    operationRef: 'text',
    operationId: 'text',
    parameters: 'any',
    requestBody: 'any',
    description: 'text',
    server: 'server',
  },
  tag: {
    name: 'text',
    summary: 'text',
    description: 'text',
    externalDocs: 'externalDocs',
    parent: 'text',
    kind: 'text',
  },
  securityScheme: {
    $ref: 'string',
    summary: 'text',
    type: 'string',
    description: 'text',
    name: 'string',
    in: 'string',
    scheme: 'string',
    bearerFormat: 'text',
    flows: 'any',
    openIdConnectUrl: 'text',
    oauth2MetadataUrl: 'text',
    deprecated: 'boolean',
  },
  requirement: {},
  discriminator: { propertyName: 'string', mapping: '{string}', defaultMapping: 'string' },
  schema: SCHEMA_KEYWORDS,
} as const satisfies Record<string, Readonly<Record<string, string>>>;

/** The section of `components` into which an object of another file is copied. */
export const SECTIONS: Partial<Record<Kind, string>> = {
  schema: 'schemas',
  response: 'responses',
  parameter: 'parameters',
  example: 'examples',
  requestBody: 'requestBodies',
  header: 'headers',
  securityScheme: 'securitySchemes',
  link: 'links',
  callback: 'callbacks',
  pathItem: 'pathItems',
  mediaType: 'mediaTypes',
};

/**
 * Returns the kind or primitive of an object's field; `undefined` for a field that the grammar does not name.
 */
export function fieldOf(kind: Kind, key: string): string | undefined {
  if (kind === 'paths') return key.startsWith('/') ? 'pathItem' : undefined;
  if (kind === 'callback') return key === '$ref' ? 'string' : key.startsWith('x-') ? undefined : 'pathItem';
  if (kind === 'responses') return key.startsWith('x-') ? undefined : 'response';
  if (kind === 'requirement') return '[string]';
  const fields: Readonly<Record<string, string>> = GRAMMAR[kind];
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

export function isKind(field: string): field is Kind {
  return Object.hasOwn(GRAMMAR, field);
}

/** Returns the kind or primitive of a list's or mapping's entries; `undefined` if the field is neither. */
export function entryOf(field: string): string | undefined {
  return /^[[{](.+)[\]}]$/.exec(field)?.[1];
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
