import { EndpointLabels } from '../../src/foreign/endpoint-labels';
import { RequestMetrics } from '../../src/metrics/request-metrics';

function labelled(max: number, known: readonly string[] = []) {
  const overflowed: string[] = [];
  const errors: unknown[] = [];
  const metrics = new RequestMetrics([1]);
  const labels = new EndpointLabels({
    metrics,
    max,
    known,
    onOverflow: (label) => overflowed.push(label),
    onError: (err) => errors.push(err),
  });
  return { labels, metrics, overflowed, errors };
}

test('a label has one endpoint', () => {
  const { labels } = labelled(2);
  expect(labels.endpoint('/a').template).toBe('/a');
  expect(labels.endpoint('/a')).toBe(labels.endpoint('/a'));
});

test('what is beyond the limit is overflow, said once; what was there before keeps its name', () => {
  const { labels, overflowed } = labelled(2);
  const templates = ['/a', '/b', '/c', '/d', '/a'].map((label) => labels.endpoint(label).template);
  expect(templates).toEqual(['/a', '/b', 'overflow', 'overflow', '/a']);
  expect(overflowed).toEqual(['/c']);
});

test('a label that is too long for a route is overflow', () => {
  const { labels, overflowed } = labelled(1_000);
  expect(labels.endpoint('x'.repeat(100_000)).template).toBe('overflow');
  expect(overflowed).toEqual(['x'.repeat(512)]);
});

/** Counts two requests whose label function does this. Returns the labels under which they are counted. */
function countedUnder(tell: () => unknown) {
  const { labels, metrics, errors } = labelled(2);
  const endpoint = labels.late(tell as () => undefined); // the types forbid some of it
  for (let n = 0; n < 2; n += 1) endpoint.observe('GET', 200, 0.1);
  const counted = metrics.rows.map(({ labels: { endpoint: label }, cells }) => [label, cells[0]]);
  return { counted, errors };
}

test.each([
  ['a text', () => '/a', '/a'],
  ['a regular expression', () => /^\/a/, '/^\\/a/'],
  ['a list of paths', () => ['/a', /b/], '/a|/b/'],
  ['null', () => null, 'unmatched'],
  ['nothing', () => undefined, 'unmatched'],
])('a label function may return %s', (_name, tell, label) => {
  expect(countedUnder(tell)).toEqual({ counted: [[label, 2]], errors: [] });
});

test.each([
  ['throws', () => JSON.parse(''), SyntaxError],
  ['is asynchronous', async () => '/a', TypeError],
  ['is asynchronous, and fails', () => Promise.reject(new Error('no label')), TypeError],
  ['returns a number', () => 5, TypeError],
  ['returns an object', () => ({}), TypeError],
  ['returns what cannot be written', () => [Object.create(null)], TypeError],
])('a request whose label function %s is counted as unmatched, which is said once', (_name, tell, error) => {
  const { counted, errors } = countedUnder(tell);
  expect(counted).toEqual([['unmatched', 2]]);
  expect(errors).toEqual([expect.any(error)]);
});

function templatesOf(asked: readonly string[], known: readonly string[]): string[] {
  const { labels } = labelled(3, known);
  return asked.map((label) => labels.endpoint(label).template);
}

test('the labels of the app’s routes come first, and leave the rest of the limit to others', () => {
  expect(templatesOf(['/x', '/y', '/b', '/a'], ['/a', '/b', '/a'])).toEqual(['/x', 'overflow', '/b', '/a']);
  expect(templatesOf(['/d', '/c', '/x'], ['/a', '/b', '/c', '/d'])).toEqual(['overflow', '/c', 'overflow']);
});

test('"unmatched" and "overflow" take no place', () => {
  const { labels, overflowed } = labelled(1);
  const templates = ['unmatched', 'overflow', '/a', 'unmatched'].map(
    (label) => labels.endpoint(label).template,
  );
  expect(templates).toEqual(['unmatched', 'overflow', '/a', 'unmatched']);
  expect(overflowed).toEqual([]);
});
