// @ts-check

/** What `GET /` and `GET /hello/{name}` answer: the same of all that is compared. */
export const root = () => ({ message: 'Hello from a Koa service that counts right.' });
/** @param {string} name */
export const hello = (name) => ({ message: `Hello, ${name}!` });
