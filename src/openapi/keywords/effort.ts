/** The calls of schemas that a validation may take whatever its value, and more for each value in it. */
const FREE = 1_000_000;
const FOR_EACH = 100;

/** The validation that is under way. They end before another one begins. */
const current: { root: unknown; calls: number; most: number } = { root: undefined, calls: 0, most: FREE };

/** Begins a validation of this value, or ends one with `undefined`. */
export function startEffort(root: unknown): void {
  current.root = root;
  current.calls = 0;
  current.most = FREE;
}

/**
 * Counts the call of a schema that refers to others. Throws a RangeError for a call too many: a schema that
 * refers to itself from several parts or branches looks into a value in a time that is multiplied at each
 * level.
 */
export function spendEffort(): void {
  current.calls += 1;
  if (current.calls <= current.most) return;
  if (current.most > FREE) throw new RangeError('A schema is called too often');
  current.most += FOR_EACH * sizeOf(current.root);
}

function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, child) => sum + sizeOf(child), 1);
}
