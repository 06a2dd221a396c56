// @ts-check

/** The path of route `i` of an API, without parameters. */
export const staticPath = (/** @type {number} */ i) => `/api/reports/kind-${i}`;
/** The path of route `i` of an API, with one parameter. */
export const templatedPath = (/** @type {number} */ i, /** @type {string} */ id) =>
  `/api/items/kind-${i}/${id}`;
