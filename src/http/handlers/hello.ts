import type { Handler } from '../handler.js';

export const hello: Handler<'hello'> = ({ path }) => ({ message: `Hello, ${path.name}!` });
