// @ts-check
export { handler } from '../../dist/serverless.js';
