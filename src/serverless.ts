import { serverless } from './serverless/platform.js';

/** The service for AWS Lambda (`dist/serverless.handler`), and for platforms that want a request listener. */
export const { handler, listener } = serverless(async () => (await import('./service.js')).service);
