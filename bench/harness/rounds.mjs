// @ts-check

/**
 * Measures every contestant once a round, one after the other, in an order that turns and reverses from round to round,
 * so that neither place in the order nor drift of the machine favours anyone.
 * @template Figure
 * @param {Readonly<Record<string, () => Promise<Figure>>>} measures  by contestant
 * @param {number} rounds
 * @returns {Promise<Record<string, Figure[]>>} the figures of each, by round
 */
export async function interleave(measures, rounds) {
  const contestants = Object.entries(measures).map(([name, measure]) => ({
    name,
    measure,
    figures: /** @type {Figure[]} */ ([]),
  }));
  for (let round = 0; round < rounds; round++) {
    const first = round % contestants.length;
    const turned = [...contestants.slice(first), ...contestants.slice(0, first)];
    for (const { figures, measure } of round % 2 ? turned.toReversed() : turned)
      figures.push(await measure());
    process.stderr.write(`\r  round ${round + 1} of ${rounds} `);
  }
  process.stderr.write('\r\x1b[K');
  return Object.fromEntries(contestants.map(({ name, figures }) => [name, figures]));
}

/** The rounds after which all processes are started anew. */
const ROUNDS_OF_A_PROCESS = 2;

/**
 * Splits rounds into batches, for each of which all is started anew: one of two processes of the same program is up to a third
 * faster for as long as it lives, by the luck of its compiler and memory.
 * @param {number} rounds
 */
export function batches(rounds) {
  return Array.from({ length: Math.ceil(rounds / ROUNDS_OF_A_PROCESS) }, (_, index) =>
    Math.min(ROUNDS_OF_A_PROCESS, rounds - index * ROUNDS_OF_A_PROCESS),
  );
}
