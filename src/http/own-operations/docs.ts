import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import helmet from 'helmet';
import type { Context } from 'koa';
import { FixedContent } from '../answer/fixed-content.js';
import { Problem } from '../problem.js';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

/**
 * The script that starts the page. Without `validatorUrl: null` it would send the description to a
 * host of Swagger's for a check.
 */
const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
});
`;

/**
 * The headers of the page: nothing from another host, and no script that is not a file of ours.
 * Swagger UI sets style attributes.
 */
const protect = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  // The proxy that terminates TLS sets this header: here it would force TLS on a site that has none.
  strictTransportSecurity: false,
});

const SWAGGER_UI = dirname(require.resolve('swagger-ui-dist/package.json'));

const TYPES = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ['start.js', 'text/javascript; charset=utf-8'],
  ['favicon-32x32.png', 'image/png'],
]);

/** Answers with the page that shows the description: Swagger UI, with all files from this package. */
export function docs(_request: unknown, ctx: Context): string | undefined {
  // The links are relative to the folder of the page, so that they also work behind a prefix.
  if (ctx.path.endsWith('/')) {
    ctx.status = 308;
    ctx.set('Location', '../docs');
    return undefined;
  }
  protect(ctx.req, ctx.res, () => undefined);
  ctx.set('Content-Type', 'text/html; charset=utf-8');
  ctx.set('Cache-Control', 'no-cache');
  return PAGE;
}

/** The files of the page, by name, once they have been asked for. */
const assets = new Map<string, Promise<FixedContent>>();

/** Answers with a file of the page. Only listed names can be asked for. */
export async function docsAsset(
  { path }: { path: Readonly<Record<string, string>> },
  ctx: Context,
): Promise<Buffer | undefined> {
  const { asset = '' } = path;
  const type = TYPES.get(asset);
  if (!type) throw new Problem(404, 'The documentation has no such file.');
  const content = assets.get(asset) ?? read(asset, type);
  assets.set(asset, content);
  return (await content).answer(ctx);
}

async function read(asset: string, type: string): Promise<FixedContent> {
  try {
    return new FixedContent(type, asset === 'start.js' ? START : await readFile(join(SWAGGER_UI, asset)));
  } catch (error) {
    assets.delete(asset); // the next request tries again
    throw error;
  }
}

/** A description as text and as parsed document. */
export interface Described {
  readonly text: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** Makes the handlers of the description itself. Each content is made when it is first asked for. */
export function createOpenapi({ document, text }: Described) {
  const json = once(() => new FixedContent('application/json; charset=utf-8', JSON.stringify(document)));
  const yaml = once(() => new FixedContent('application/yaml; charset=utf-8', text));
  return {
    openapiJson: (_request: unknown, ctx: Context) => json().answer(ctx),
    openapiYaml: (_request: unknown, ctx: Context) => yaml().answer(ctx),
  };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
