import type { Handler } from '../http/handler.js';

export const echo: Handler<'echo'> = ({ body }) => body;
