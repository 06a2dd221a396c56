/**
 * The most values that a description may have when its YAML aliases are written out: twenty
 * times as many as GitHub's has.
 */
const MOST_VALUES = 5_000_000;

/**
 * Returns why a value can't be walked through: YAML aliases make it endless, or larger than
 * memory. `undefined` if it can.
 */
export function expandedSize(value: unknown): string | undefined {
  const sizes = new Map<object, number>();
  const open = new Set<object>();
  let isEndless = false;
  const sizeOf = (at: unknown): number => {
    if (typeof at !== 'object' || at === null) return 1;
    const known = sizes.get(at);
    if (known !== undefined) return known;
    if (open.has(at)) isEndless = true;
    if (isEndless) return 1;
    open.add(at);
    const size = Object.values(at).reduce<number>((sum, child) => sum + sizeOf(child), 1);
    open.delete(at);
    sizes.set(at, size);
    return size;
  };
  const size = sizeOf(value);
  if (isEndless) return 'has a YAML alias to a value that it stands in';
  if (size > MOST_VALUES) return `its YAML aliases stand for more than ${MOST_VALUES} values`;
  return undefined;
}
