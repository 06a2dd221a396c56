import type { Handler } from '../http/handler.js';

export const greet: Handler<'greet'> = () => ({ message: 'Hello from a Koa service that counts right.' });
