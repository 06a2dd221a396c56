/**
 * Returns the name that a misspelt one was probably meant to be; `undefined` if it looks like none of them.
 */
export function nearest(misspelt: string, names: readonly string[]): string | undefined {
  const folded = misspelt.toLowerCase();
  const same = names.find((name) => name.toLowerCase() === folded);
  if (same !== undefined) return same;
  // Short words differ by a letter without meaning the same.
  const most = misspelt.length < 4 ? 0 : misspelt.length < 7 ? 1 : 2;
  return names.find(
    (name) => Math.abs(name.length - misspelt.length) <= most && distance(name, folded) <= most,
  );
}

/**
 * Returns the number of letters that are inserted, removed or changed (Levenshtein);
 * two swapped ones count as one.
 */
function distance(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, index) => index)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Infinity;
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= other.length; j += 1) {
      const isSame = one[i - 1] === other[j - 1];
      const isSwapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + (isSame ? 0 : 1),
          isSwapped ? at(i - 2, j - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return at(one.length, other.length);
}
