// @ts-check

/** Answers nothing: the share of Node itself. */
export const handler = () => ({ statusCode: 200 });
