import * as fc from 'fast-check';
import { PathIndex } from '../../../src/http/routing/path-index';
import { normalPath } from '../../../src/openapi/operations/paths';

function indexOf(...templates: string[]): PathIndex<string> {
  const index = new PathIndex<string>();
  for (const template of templates) index.set(template, template);
  return index;
}

const every = (_template: string) => true;

function find(index: PathIndex<string>, path: string, wanted = every): [string | undefined, string[]] {
  const segments: string[] = [];
  return [index.find(normalPath(path), segments, wanted), segments];
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

test.each<[string, string, string, string[]]>([
  ['hex digits of a template in lower case', '/caf%c3%a9/{x}', '/caf%C3%A9/1', ['1']],
  ['hex digits of a template and of a request in lower case', '/caf%c3%a9/{x}', '/caf%c3%a9/1', ['1']],
  ['a template without parameters', '/caf%c3%a9', '/caf%C3%A9', []],
  ['characters beyond ASCII', '/größe', '/gr%c3%B6%C3%9fe', []],
  ['hex digits beside a parameter in lower case', '/größe-{x}', '/gr%c3%b6%c3%9fe-5', ['5']],
  ['hex digits beside a parameter in upper case', '/größe-{x}', '/gr%C3%B6%C3%9Fe-5', ['5']],
  ['an encoded character beside a parameter', '/a%20b-{x}', '/a%20b-5', ['5']],
  ['a letter that needs no encoding', '/hello', '/%68ello', []],
  ['a tilde that needs no encoding', '/~user', '/%7Euser', []],
  ['a tilde that the template encodes', '/%7euser/{x}', '/~user/%7E', ['~']],
  ['a letter beside a parameter that needs no encoding', '/v{x}.json', '/%76%31%2Ejso%6e', ['1']],
  ['octets of a character, and no half of one', '/{x}3{y}', '/a%C3%A93%33', ['a%C3%A9', '3']],
  ['a parameter as it came', '/{x}-b', '/%c3%A9%2fa%2Db%-b', ['%c3%A9%2fa%2Db%']],
  ['a percent sign', '/100%25/{x}', '/100%25/1', ['1']],
  ['what looks encoded when it is decoded: a text like any other', '/{x}.b', '/%%34%31.b', ['%%34%31']],
])('reads percent-encoding as RFC 3986 does: %s', (_, template, path, segments) => {
  expect(find(indexOf(template), path)).toEqual([template, segments]);
});

test.each([
  ['an encoded slash is no slash', '/a/b', '/a%2Fb'],
  ['an encoded slash is none beside a parameter', '/a/b{x}', '/a%2Fb1'],
  ['a slash is no encoded slash', '/a%2Fb', '/a/b'],
  ['an encoded dot segment leads nowhere', '/a/b', '/a/c/%2E%2E/b'],
  ['an encoded dot leads nowhere', '/a/b', '/a/%2e/b'],
  ['an encoded semicolon is no semicolon', '/a;b', '/a%3Bb'],
  ['what is encoded twice is decoded once', '/hello', '/%2568ello'],
  ['what looks encoded when it is decoded is not', '/%C3', '/%%433'],
  ['a percent sign without digits is no encoded one', '/100%25', '/100%'],
])('keeps apart what RFC 3986 does: %s', (_, template, path) => {
  expect(find(indexOf(template), path)).toEqual([undefined, []]);
});

test.each(['%', '%7', '%7e', '%C3', '%%', '%zz'])('is not slow with a path full of %s', (text) => {
  const index = indexOf('/~{x}', '/{x}~{y}~', '/{x}/b');
  const path = `/~${text.repeat(10_000 / text.length)}`;
  const took = Array.from({ length: 50 }, () => {
    const before = performance.now();
    index.find(path, [], every);
    return performance.now() - before;
  });
  expect(Math.min(...took)).toBeLessThan(5);
});

/** Sorts the more special first: a literal before a parameter, from the left. */
const special = (template: string) =>
  template
    .split('/')
    .map((segment) => (segment.startsWith('{') ? '1' : '0'))
    .join('');

/** Finds a path without an index: tries each template, the more special first. */
function tried(
  templates: readonly string[],
  path: string,
  wanted: (template: string) => boolean,
): [string | undefined, string[]] {
  if (templates.includes(path) && !wanted(path)) return [undefined, []];
  for (const template of templates.toSorted((a, b) => special(a).localeCompare(special(b)))) {
    const pattern = template.replaceAll(/\{[^}]+\}/g, '([^/]+)');
    const match = new RegExp(`^${pattern}$`).exec(path);
    if (match && wanted(template)) return [template, match.slice(1)];
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
    fc.property(
      fc.uniqueArray(template, { maxLength: 12 }),
      path,
      fc.oneof(fc.constant(every), fc.func(fc.boolean())),
      (templates, asked, wanted) => {
        expect(find(indexOf(...templates), asked, wanted)).toEqual(tried(templates, asked, wanted));
      },
    ),
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
  expect(index.find(path as unknown as string, [], every)).toBeUndefined();
  expect(slices).toBeGreaterThan(20);
  expect(slices).toBeLessThanOrEqual(21 * 21);
});
