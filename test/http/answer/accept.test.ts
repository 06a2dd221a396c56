import { acceptsGzip, type Offer, preferred } from '../../../src/http/answer/accept';

const TEXT: Offer<string> = { value: 'text', type: 'text/plain', parameters: { version: '0.0.4' } };
const PROTOBUF: Offer<string> = {
  value: 'protobuf',
  type: 'application/vnd.google.protobuf',
  parameters: { proto: 'io.prometheus.client.MetricFamily', encoding: 'delimited' },
};
const proto = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';

const choice = (accept?: string): string => preferred(accept, [TEXT, PROTOBUF]);

describe('what Prometheus sends', () => {
  test.each([
    [
      '2.42',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'text',
    ],
    [
      '2.42 with native-histograms',
      `${proto},application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1`,
      'protobuf',
    ],
    [
      '2.53',
      'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'text',
    ],
    [
      '2.53 with native-histograms',
      `${proto};q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1`,
      'protobuf',
    ],
    [
      '3.5',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      'text',
    ],
    [
      '3.5 with native-histograms',
      `${proto};q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1`,
      'protobuf',
    ],
    [
      '3.14',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'text',
    ],
    [
      '3.3, which names the escaping for every version',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;escaping=allow-utf-8;q=0.3,*/*;q=0.2',
      'text',
    ],
    [
      '3.14 with native histograms and another escaping',
      `${proto};escaping=underscores;q=0.6,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1`,
      'protobuf',
    ],
    ['3.14 with text before protobuf', `text/plain;version=0.0.4;q=0.6,${proto};q=0.5,*/*;q=0.1`, 'text'],
  ])('%s', (_, accept, expected) => {
    expect(choice(accept)).toBe(expected);
  });
});

test.each([
  [undefined, 'text'],
  ['', 'text'],
  ['*/*', 'text'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text'],
  ['application/json', 'text'],
  [proto, 'protobuf'],
  [`${proto},text/plain`, 'text'],
  [`${proto};q=0.5,*/*`, 'text'],
  [`*/*;q=0.5,${proto}`, 'protobuf'],
  ['application/*', 'protobuf'],
  [`text/plain;q=0.4,${proto};q=0.400`, 'text'],
  [`text/plain;q=0.4,${proto};q=0.401`, 'protobuf'],
  [`text/plain;q=0,${proto};q=0.001`, 'protobuf'],
  [`${proto};q=0`, 'text'],
  [`${proto};q=0,application/*`, 'text'],
  ['application/vnd.google.protobuf', 'protobuf'],
  [
    'APPLICATION/VND.Google.Protobuf ; Proto="io.prometheus.client.MetricFamily"; ENCODING=delimited',
    'protobuf',
  ],
  ['application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text', 'text'],
  ['application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=Delimited', 'text'],
  ['application/vnd.google.protobuf;proto=other.Message;encoding=delimited', 'text'],
  [`text/plain;version=1.0.0,${proto};q=0.1`, 'protobuf'],
  [`text/plain;version=0.0.4;charset=utf-8;q=0.2,${proto};q=0.1`, 'text'],
  [`${proto};q=2,text/plain;q=0.1`, 'text'],
  [`${proto};q=high,text/plain;q=0.1`, 'text'],
  [`text/plain;note="a, b; q=1";q=0.1,${proto};q=0.5`, 'protobuf'],
  [';;;,,;q=,="', 'text'],
])('%s gives %s', (accept, expected) => {
  expect(choice(accept)).toBe(expected);
});

test('a range that names parameters counts before one that does not', () => {
  expect(choice(`${proto};q=0.1,application/vnd.google.protobuf,text/plain;q=0.5`)).toBe('text');
});

test.each([
  [undefined, false],
  ['', false],
  ['gzip', true],
  ['GZIP;q=0.5', true],
  ['x-gzip', true],
  ['br, deflate;q=0.5', false],
  ['gzip;q=0', false],
  ['gzip;q=0, *', false],
  ['*', true],
  ['*;q=0', false],
  ['identity', false],
  ['identity;q=1, gzip;q=0.5', false],
  ['identity;q=0.5, *;q=0.1', false],
  ['identity, gzip', true],
  ['identity;q=0, gzip;q=0.1', true],
])('Accept-Encoding %p: gzip %p', (acceptEncoding, expected) => {
  expect(acceptsGzip(acceptEncoding)).toBe(expected);
});
