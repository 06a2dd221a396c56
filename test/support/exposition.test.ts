import { fallen, parseExposition, total } from './exposition';

const histogram = (rows: string): string => `# HELP h A histogram.\n# TYPE h histogram\n${rows}`;
const good = histogram(
  'h_bucket{le="1",a="x"} 1\nh_bucket{le="+Inf",a="x"} 3\nh_sum{a="x"} 4.5\nh_count{a="x"} 3\n',
);

describe('the exposition parser', () => {
  it('reads families, labels with escapes, and values', () => {
    const text = `# HELP c A \\\\ counter.\n# TYPE c counter\nc{path="a\\"b\\\\c\\nd",m="GET"} 5e3\nc 2\n\n# a remark\n${good}`;
    const families = parseExposition(text);
    expect(families.get('c')?.samples).toEqual([
      { name: 'c', labels: { path: 'a"b\\c\nd', m: 'GET' }, value: 5000 },
      { name: 'c', labels: {}, value: 2 },
    ]);
    expect(total(families, 'c')).toBe(5002);
    expect(total(families, 'c', { m: 'GET' })).toBe(5000);
    expect(total(families, 'h_count', { a: 'x' })).toBe(3);
  });

  it.each([
    ['a last line without its end', 'a 1', /line feed/],
    ['a sample before its TYPE', 'a 1\n', /before its TYPE/],
    ['NaN', '# TYPE a gauge\na NaN\n', /NaN/],
    ['a word as value', '# TYPE a gauge\na undefined\n', /undefined/],
    ['a series twice', '# TYPE a gauge\na{x="1",y="2"} 1\na{y="2",x="1"} 1\n', /twice/],
    ['a label twice', '# TYPE a gauge\na{x="1",x="2"} 1\n', /label x twice/],
    ['an escape that is none', '# TYPE a gauge\na{x="\\t"} 1\n', /labels at/],
    ['a quote that is not escaped', '# TYPE a gauge\na{x="a"b"} 1\n', /labels at/],
    ['TYPE twice', '# TYPE a gauge\n# TYPE a gauge\na 1\n', /TYPE twice/],
    ['HELP twice', '# HELP a x\n# HELP a x\n# TYPE a gauge\na 1\n', /HELP twice/],
    ['TYPE after the samples', '# TYPE a gauge\na 1\n# TYPE a counter\n', /TYPE twice/],
    ['an unknown type', '# TYPE a number\n', /type number/],
    ['a family in two pieces', '# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x="1"} 1\n', /two pieces/],
    ['a metric name that is none', '# TYPE a-b gauge\n', /metric name/],
    ['a bucket that falls', good.replace('le="1",a="x"} 1', 'le="1",a="x"} 4'), /falls/],
    ['+Inf that is not the count', good.replace('} 3\nh_sum', '} 2\nh_sum'), /not _count/],
    ['a histogram without +Inf', good.replace('+Inf', '2'), /not _count/],
    ['a histogram without a sum', good.replace('h_sum{a="x"} 4.5\n', ''), /no _sum/],
    ['bounds that do not ascend', good.replace('h_sum', 'h_bucket{le="0.5",a="x"} 3\nh_sum'), /ascend/],
    ['a bare sample of a histogram', `${good}h 1\n`, /bare sample/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseExposition(text)).toThrow(message);
  });

  it('lists what fell and what vanished, and leaves gauges alone', () => {
    const before = parseExposition(`# TYPE c counter\nc{x="1"} 5\nc{x="2"} 5\n# TYPE g gauge\ng 9\n${good}`);
    const after = parseExposition(
      `# TYPE c counter\nc{x="1"} 4\n# TYPE g gauge\ng 1\n${good.replace('4.5', '4.4')}`,
    );
    expect(fallen(before, after)).toEqual([
      'c{x="1"} fell from 5 to 4',
      'c{x="2"} vanished from 5',
      'h_sum{a="x"} fell from 4.5 to 4.4',
    ]);
    expect(fallen(before, before)).toEqual([]);
  });
});
