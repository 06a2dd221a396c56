// @ts-check
import { answers, describe } from './api.mjs';
import { serve } from './our-service.mjs';

// ours.mjs [uninstrumented|middleware|apiKey]: the API with our service; without what measures; with a middleware that does nothing; with a
// key that every operation wants.
const [variant] = process.argv.slice(2);
const securitySchemes = { key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' } };
const secured = { components: { securitySchemes }, security: [{ key: [] }] };

await serve({
  document: { ...describe('3.1.0'), ...(variant === 'apiKey' && secured) },
  security: { key: (/** @type {string} */ key) => (key === 'secret' ? 'bench' : undefined) },
  handlers: {
    greet: () => answers.greet(),
    hello: ({ path }) => answers.hello(path.name),
    findItem: ({ path, query }) => answers.findItem({ ...path, ...query }),
    createItem: ({ body }) => answers.createItem(body),
    importItems: ({ body }) => answers.importItems(body),
    report: () => answers.report(),
    download: () => answers.download(),
  },
  instrumented: variant !== 'uninstrumented',
  middleware: variant === 'middleware' ? [(_ctx, next) => next()] : [],
});
