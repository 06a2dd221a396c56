import * as fc from 'fast-check';
import { PathIndex } from '../../../src/http/routing/path-index';

function indexOf(...templates: string[]): PathIndex<string> {
  const index = new PathIndex<string>();
  for (const template of templates) index.set(template, template);
  return index;
}

function find(index: PathIndex<string>, path: string): [string | undefined, string[]] {
  const segments: string[] = [];
  return [index.find(path, segments), segments];
}

test.each<[string, string[], string, string | undefined, string[]]>([
  ['a static path', ['/a/b'], '/a/b', '/a/b', []],
  ['the root', ['/'], '/', '/', []],
  ['the root as a parameter', ['/{x}'], '/a', '/{x}', ['a']],
  ['no empty parameter', ['/{x}'], '/', undefined, []],
  ['no empty parameter at the end', ['/a/{x}'], '/a/', undefined, []],
  ['a parameter between', ['/a/{x}/b'], '/a/1/b', '/a/{x}/b', ['1']],
  ['a literal first', ['/{x}/b', '/a/{y}'], '/a/b', '/a/{y}', ['b']],
  [
    'what is left when the literal leads nowhere',
    ['/a/b/c/d', '/a/{x}/c/{y}'],
    '/a/b/c/e',
    '/a/{x}/c/{y}',
    ['b', 'e'],
  ],
  ['nothing, and no segments of what was tried', ['/{x}/{y}/c', '/a/{z}/d'], '/a/b/e', undefined, []],
  ['no prefix', ['/a/{x}/b'], '/a/1', undefined, []],
  ['no more than the template', ['/a/{x}'], '/a/1/', undefined, []],
])('finds %s', (_, templates, path, template, segments) => {
  expect(find(indexOf(...templates), path)).toEqual([template, segments]);
});

/** Sorts the more special first: a literal before a parameter, from the left. */
const special = (template: string) =>
  template
    .split('/')
    .map((segment) => (segment.startsWith('{') ? '1' : '0'))
    .join('');

/** Finds a path without an index: tries each template, the more special first. */
function tried(templates: readonly string[], path: string): [string | undefined, string[]] {
  for (const template of templates.toSorted((a, b) => special(a).localeCompare(special(b)))) {
    const pattern = template.replaceAll(/\{[^}]+\}/g, '([^/]+)');
    const match = new RegExp(`^${pattern}$`).exec(path);
    if (match) return [template, match.slice(1)];
  }
  return [undefined, []];
}

test('finds what trying each template would', () => {
  const segment = fc.constantFrom('a', 'b', 'c');
  const template = fc
    .array(fc.oneof(segment, fc.constant('{x}')), { minLength: 1, maxLength: 4 })
    .map((all) => `/${all.join('/')}`);
  const path = fc
    .array(fc.oneof(segment, fc.constantFrom('', 'd')), { minLength: 1, maxLength: 5 })
    .map((all) => `/${all.join('/')}`);
  fc.assert(
    fc.property(fc.uniqueArray(template, { maxLength: 12 }), path, (templates, wanted) => {
      expect(find(indexOf(...templates), wanted)).toEqual(tried(templates, wanted));
    }),
    { numRuns: 1000 },
  );
});

test('looks at no more nodes for a hostile path than there are', () => {
  // Each segment is a literal and a parameter: a search without bounds would try 2^20 ways.
  const templates = Array.from(
    { length: 21 },
    (_, depth) => `/${'a/'.repeat(depth)}${'{x}/'.repeat(20 - depth)}end`,
  );
  const index = indexOf(...templates);
  let slices = 0;
  const path = new Proxy(new String(`/${'a/'.repeat(20)}no`), {
    get(target, key) {
      if (key === 'slice') slices += 1;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  expect(index.find(path as unknown as string, [])).toBeUndefined();
  expect(slices).toBeGreaterThan(20);
  expect(slices).toBeLessThanOrEqual(21 * 21);
});
