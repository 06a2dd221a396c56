import { createContext, runInContext } from 'node:vm';
import type { Description } from '../description.js';
import { regExp } from '../keywords/reg-exp.js';

/** Length of the longest text that a body of the default limit can hold, about. */
const LONGEST = 100_000;

/** Milliseconds that one test of a pattern may take. A slower one would hold up all requests of a worker. */
const SLOW_MS = 200;

/**
 * Characters that are repeated beside those of the pattern, to see whether it is tried in more and more ways.
 */
const COMMON = [' ', '0', 'a', 'A', '-', '.', '_', '/', ',', '@', '\n'];

/** Ends that a pattern seldom allows, so that the match fails late: a dot does not match the second. */
const ENDS = ['\u0000', '\n\n'];

/** Warns of each pattern whose time explodes with the length of the text: anybody could send such a text. */
export function checkPatterns(description: Description): void {
  const verdicts = new Map<string, boolean>();
  for (const { pattern, maxLength, path } of patternsIn(description.document)) {
    const longest = Math.min(maxLength ?? LONGEST, LONGEST);
    const key = `${longest} ${pattern}`;
    if (!verdicts.has(key)) verdicts.set(key, canExplode(pattern, longest));
    if (verdicts.get(key) === true)
      description.warn(
        path,
        `${JSON.stringify(pattern)} can take seconds for a text of ${longest} characters; ${maxLength === undefined ? 'a "maxLength" or ' : ''}a simpler pattern helps`,
      );
  }
}

interface Pattern {
  readonly pattern: string;
  readonly maxLength: number | undefined;
  readonly path: readonly string[];
}

function* patternsIn(value: unknown, path: readonly string[] = []): Generator<Pattern> {
  if (typeof value !== 'object' || value === null) return;
  const { pattern, maxLength } = value as { pattern?: unknown; maxLength?: unknown }; // any of them
  if (typeof pattern === 'string' && !path.at(-1)?.startsWith('example'))
    yield {
      pattern,
      maxLength: typeof maxLength === 'number' ? maxLength : undefined,
      path: [...path, 'pattern'],
    };
  for (const [key, child] of Object.entries(value)) yield* patternsIn(child, [...path, key]);
}

/**
 * Tries a pattern with texts that repeat its own characters, and end with characters that it does not have.
 */
export function canExplode(pattern: string, longest: number): boolean {
  // A pattern without a repetition cannot be tried in many ways.
  if (!/[*+}]/.test(pattern)) return false;
  const literals = pattern.replaceAll(/\\[a-zA-Z]|[\\^$()[\]{}|?*+]/g, ' ').split(/\s+/);
  const pieces = new Set([
    ...COMMON,
    ...literals.flatMap((text) => [text, ...Array.from(text)]).filter((text) => text !== ''),
  ]);
  const expression = regExp(pattern);
  return (
    [...pieces]
      .slice(0, 60)
      .flatMap((piece) => ENDS.map((end) => piece.repeat(longest / piece.length) + end))
      // The same text is tried twice: another process may have taken the time.
      .some((text) => isSlow(expression, text) && isSlow(expression, text))
  );
}

const context = createContext(Object.create(null));

/**
 * Tells whether a test takes longer than `SLOW_MS`. It runs in a context of its own:
 * no other test can be stopped.
 */
function isSlow(expression: RegExp, text: string): boolean {
  Object.assign(context, { expression, text });
  try {
    runInContext('expression.test(text)', context, { timeout: SLOW_MS });
    return false;
  } catch {
    return true;
  }
}
