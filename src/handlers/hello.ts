import type { Handler } from '../http/handler.js';

export const hello: Handler<'hello'> = ({ path }) => ({ message: `Hello, ${path.name}!` });
