// @ts-check
import { Readable } from 'node:stream';

// The API that all servers of the bench serve: its schemas, its description, its requests and what it answers. The frameworks that want
// schemas and not a description get the same ones.
const item = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 100 },
    quantity: { type: 'integer', minimum: 1, maximum: 1000 },
    price: { type: 'number', minimum: 0 },
    tags: { type: 'array', maxItems: 10, items: { type: 'string', maxLength: 20 } },
  },
  required: ['name', 'quantity', 'price'],
  additionalProperties: false,
};
const id = { type: 'integer', minimum: 1 };
const storedItem = { ...item, properties: { id, ...item.properties }, required: ['id', ...item.required] };
const upTo = { type: 'integer', minimum: 1, maximum: 100, default: 20 };
const order = { type: 'string', enum: ['name', 'price'], default: 'name' };

/** @param {Record<string, object>} properties */
const closed = (properties) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
export const schemas = {
  message: closed({ message: { type: 'string' } }),
  item,
  storedItem,
  id,
  limit: upTo,
  sort: order,
  found: closed({ id, limit: upTo, sort: order, item: storedItem }),
  items: closed({ items: { type: 'array', maxItems: 200, items: item } }),
  accepted: closed({ accepted: { type: 'integer' } }),
  report: closed({ items: { type: 'array', items: storedItem } }),
};

const KETTLE = {
  name: 'Copper kettle, 2 l',
  quantity: 3,
  price: 49.9,
  tags: ['kitchen', 'copper', 'handmade', 'gift'],
};
const REPORT = Array.from({ length: 90 }, (_, i) => ({ id: i + 1, ...KETTLE, quantity: i + 1 }));
const CHUNK = Buffer.alloc(64 * 1024, 'x');

/** The answers of the operations. */
export const answers = {
  greet: () => ({ message: 'Hello from a service of the bench, whichever.' }),
  hello: (/** @type {string} */ name) => ({ message: `Hello, ${name}!` }),
  findItem: (/** @type {{ id: number, limit: number, sort: string }} */ { id: found, limit, sort }) => ({
    id: found,
    limit,
    sort,
    item: { id: found, ...KETTLE },
  }),
  createItem: (/** @type {object} */ created) => ({ id: 4711, ...created }),
  importItems: (/** @type {{ items: unknown[] }} */ { items }) => ({ accepted: items.length }),
  report: () => ({ items: REPORT }),
  download: () => {
    let left = 16;
    return new Readable({
      read() {
        this.push(left-- > 0 ? CHUNK : null);
      },
    });
  },
};

/** @typedef {{ requests: readonly import('../harness/load.mjs').Request[], status?: number }} Job */

const json = { 'content-type': 'application/json' };
const post = (/** @type {string} */ path, /** @type {object} */ body) => ({
  method: 'POST',
  path,
  headers: json,
  body: JSON.stringify(body),
});

/** The jobs of an API, by their names in the tables. */
export const jobs = /** @satisfies {Record<string, Job>} */ ({
  'small GET': { requests: [{ path: '/' }] },
  'path and query parameters': { requests: [{ path: '/items/4711?limit=50&sort=price' }] },
  'POST, 100 B': { requests: [post('/items', KETTLE)], status: 201 },
  'POST, 10 kB': { requests: [post('/imports', { items: REPORT.map(() => KETTLE) })] },
  'answer of 10 kB': { requests: [{ path: '/report' }] },
  'streamed answer of 1 MB': { requests: [{ path: '/download' }] },
  'answer 404': { requests: [{ path: '/nothing/here' }], status: 404 },
  'answer 400': { requests: [post('/items', { ...KETTLE, quantity: 0 })], status: 400 },
});

const content = (/** @type {object} */ schema) => ({ 'application/json': { schema } });
/**
 * @param {number} status
 * @param {object} schema
 */
const responses = (status, schema) => ({ [status]: { description: 'Done.', content: content(schema) } });
const parameter = (
  /** @type {string} */ place,
  /** @type {string} */ name,
  /** @type {object} */ schema,
) => ({
  in: place,
  name,
  required: place === 'path',
  schema,
});

/**
 * The API as an OpenAPI document.
 * @param {string} openapi  the version: nothing in it means something else in 3.0
 */
export const describe = (openapi) => ({
  openapi,
  info: { title: 'Items', version: '1.0.0' },
  paths: {
    '/': { get: { operationId: 'greet', responses: responses(200, schemas.message) } },
    '/hello/{name}': {
      get: {
        operationId: 'hello',
        parameters: [parameter('path', 'name', { type: 'string', minLength: 1, maxLength: 64 })],
        responses: responses(200, schemas.message),
      },
    },
    '/items': {
      post: {
        operationId: 'createItem',
        requestBody: { required: true, content: content(item) },
        responses: responses(201, storedItem),
      },
    },
    '/items/{id}': {
      get: {
        operationId: 'findItem',
        parameters: [
          parameter('path', 'id', id),
          parameter('query', 'limit', upTo),
          parameter('query', 'sort', order),
        ],
        responses: responses(200, schemas.found),
      },
    },
    '/imports': {
      post: {
        operationId: 'importItems',
        requestBody: { required: true, content: content(schemas.items) },
        responses: responses(200, schemas.accepted),
      },
    },
    '/report': { get: { operationId: 'report', responses: responses(200, schemas.report) } },
    '/download': {
      get: {
        operationId: 'download',
        responses: {
          200: {
            description: 'A file.',
            content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
          },
        },
      },
    },
  },
});
