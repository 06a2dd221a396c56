// @ts-check

/** What Node itself needs. */
export const handler = () => ({ statusCode: 200 });
