import type { Labels } from './snapshot.js';

/** Writes labels as `{a="x",b="y"}`, as in Prometheus's text format; an empty text without labels. */
export function labelText(labels: Iterable<readonly [string, string | number]>): string {
  const parts: string[] = [];
  for (const [name, value] of labels) parts.push(`${name}="${escapeLabel(String(value))}"`);
  return parts.length > 0 ? `{${parts.join(',')}}` : '';
}

/** Makes a key that is the same for the same labels in any order. */
export function labelKey(labels: Labels): string {
  return labelText(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Escapes a text for a HELP line. */
export function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}
