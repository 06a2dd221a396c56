import type { Labels } from './snapshot.js';

/** `{a="x",b="y"}` as Prometheus' text format has it, or nothing without labels. */
export function labelText(labels: Iterable<readonly [string, string | number]>): string {
  const parts: string[] = [];
  for (const [name, value] of labels) parts.push(`${name}="${escapeLabel(String(value))}"`);
  return parts.length > 0 ? `{${parts.join(',')}}` : '';
}

/** The same for the same labels, whatever their order. */
export function labelKey(labels: Labels): string {
  return labelText(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** A text as it stands in a HELP line. */
export function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}
