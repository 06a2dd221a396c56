import type { Handler } from '../handler.js';

export const echo: Handler<'echo'> = ({ body }) => body;
