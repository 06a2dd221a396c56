import type { Place } from './description.js';

/** Every path has a form that the router serves, and no two of them match the same one equally well. */
export function checkPaths(paths: Place): void {
  const templates = paths
    .entries()
    .map(([path, place]) => ({ path, place, segments: segmentsOf(path, place) }));
  const templated = templates.filter(({ path }) => path.includes('{'));
  templated.forEach((one, index) => {
    const other = templated.slice(0, index).find(({ segments }) => collide(segments, one.segments));
    if (other) one.place.fail(`matches the same paths as ${other.path}`);
  });
}

function segmentsOf(path: string, place: Place): string[] {
  if (!path.startsWith('/')) place.fail('a path must start with "/"');
  if (/[?#%\s]/.test(path))
    place.fail('a path can not have a query, a fragment, a percent-encoding or a space');
  const segments = path.slice(1).split('/');
  const names = segments.filter((segment) => /[{}]/.test(segment));
  for (const segment of names) {
    if (!/^\{[^{}]+\}$/.test(segment))
      place.fail(`"${segment}": a parameter must be a whole segment of the path`);
  }
  if (new Set(names).size < names.length) place.fail('has the same parameter twice');
  return segments;
}

/** Some path matches both, and neither is the more special one in every segment in which they differ. */
function collide(one: readonly string[], other: readonly string[]): boolean {
  if (one.length !== other.length) return false;
  let moreSpecial = 0;
  let lessSpecial = 0;
  for (const [index, segment] of one.entries()) {
    const [first, second] = [segment.startsWith('{'), other[index]?.startsWith('{') ?? false];
    if (!first && !second && segment !== other[index]) return false;
    if (second && !first) moreSpecial += 1;
    if (first && !second) lessSpecial += 1;
  }
  return (moreSpecial === 0) === (lessSpecial === 0);
}
