import { octetsOf, placesIn, textsOf } from '../../openapi/operations/paths.js';

/** A segment such as `{id}.json`: the texts before, between and behind its parameters, as octets. */
export interface SegmentPattern {
  readonly texts: readonly string[];
  /** The number of characters in all texts. */
  readonly length: number;
}

/** Makes the pattern of a template's segment that is more than one whole parameter. */
export function patternOf(segment: string): SegmentPattern {
  const texts = textsOf(segment).map(octetsOf);
  return { texts, length: texts.join('').length };
}

/**
 * Returns the values of a pattern's parameters in a segment, still encoded; `undefined` if it does not match
 * its octets. Each parameter takes as little as it can, and at least a character; the last one takes the
 * rest. The time grows with the segment, and not with its square.
 */
export function matchSegment(
  { texts }: SegmentPattern,
  segment: string,
  octets: string,
): string[] | undefined {
  const [first = '', ...others] = texts;
  const last = others.pop() ?? '';
  if (!octets.startsWith(first) || !octets.endsWith(last)) return undefined;
  const end = octets.length - last.length;
  const place = placesIn(segment, octets);
  const values: string[] = [];
  let at = first.length;
  for (const text of others) {
    const next = octets.indexOf(text, at + 1);
    if (next < 0 || next + text.length >= end) return undefined;
    values.push(segment.slice(place(at), place(next)));
    at = next + text.length;
  }
  return at < end ? [...values, segment.slice(place(at), place(end))] : undefined;
}
