/** A segment such as `{id}.json`: the texts before, between and behind its parameters, as they travel. */
export interface SegmentPattern {
  readonly texts: readonly string[];
  /** Of all texts. */
  readonly length: number;
}

/** A segment of a template in which there is more than one parameter and nothing else. */
export function patternOf(segment: string): SegmentPattern {
  const texts = segment.split(/\{[^{}]+\}/).map(encodeURI);
  return { texts, length: texts.join('').length };
}

/**
 * What the parameters of a pattern stand for in a segment, `undefined` where it does not match. Each takes as little as it can, and
 * at least a character; the last one takes the rest. In a time that grows with the segment, and not with its square.
 */
export function matchSegment({ texts }: SegmentPattern, segment: string): string[] | undefined {
  const [first = '', ...others] = texts;
  const last = others.pop() ?? '';
  if (!segment.startsWith(first) || !segment.endsWith(last)) return undefined;
  const end = segment.length - last.length;
  const values: string[] = [];
  let at = first.length;
  for (const text of others) {
    const next = segment.indexOf(text, at + 1);
    if (next < 0 || next + text.length >= end) return undefined;
    values.push(segment.slice(at, next));
    at = next + text.length;
  }
  return at < end ? [...values, segment.slice(at, end)] : undefined;
}
