export const ONE_BY_ONE = ['first', 'after first', 'second', 'after second'];

/**
 * Returns the order in which two calls resolve, and the loop turns after each: `ONE_BY_ONE`
 * if the loop turns in between.
 */
export async function orderOfTwo(get: () => Promise<unknown>): Promise<string[]> {
  const order: string[] = [];
  const wait = async (name: string) => {
    await get();
    order.push(name);
    await new Promise(setImmediate);
    order.push(`after ${name}`);
  };
  await Promise.all([wait('first'), wait('second')]);
  return order;
}
