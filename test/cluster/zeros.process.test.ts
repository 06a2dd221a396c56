import { join } from 'node:path';
import { parseExposition, seriesKey } from '../support/exposition';
import { asText, scrapeProtobuf, timeOf } from '../support/metric-families';
import { disposeAll, Service } from '../support/service';

jest.setTimeout(60_000);
afterEach(disposeAll);

const count = (endpoint: string, status: number, method = 'GET') =>
  `flask_app_request_count{endpoint="${endpoint}",http_status="${status}",method="${method}"}`;

async function values(service: Service): Promise<Map<string, number>> {
  const families = await service.scrape();
  const samples = [...families.values()].flatMap((family) => family.samples);
  return new Map(samples.map((sample) => [seriesKey(sample), sample.value]));
}

test('what the description foresees is at 0 from the first scrape, in both formats, and counts on from there', async () => {
  const before = Date.now();
  const service = await Service.start();
  const first = await values(service);
  for (const series of [
    count('/hello/{name}', 200),
    count('/hello/{name}', 400),
    count('/hello/{name}', 500),
    count('/echo', 200, 'POST'),
    count('/echo', 413, 'POST'),
    count('/echo', 415, 'POST'),
    'flask_app_request_latency_seconds_count{endpoint="/echo",method="POST"}',
    'flask_app_request_latency_seconds_bucket{endpoint="/echo",le="+Inf",method="POST"}',
  ])
    expect([series, first.get(series)]).toEqual([series, 0]);
  expect((await service.get('/hello/Ada')).status).toBe(200);
  const families = await scrapeProtobuf(service.port);
  const samples = asText(families).get('flask_app_request_count')?.samples ?? [];
  const told = new Map(samples.map((sample) => [seriesKey(sample), sample.value]));
  expect(told.get(count('/hello/{name}', 200))).toBe(1);
  expect(told.get(count('/hello/{name}', 500))).toBe(0);
  const latency = families.find(({ name }) => name === 'flask_app_request_latency_seconds');
  const echo = latency?.metric.find(({ label }) => label?.some(({ value }) => value === '/echo'));
  expect(echo?.histogram).toMatchObject({ sampleCount: 0, schema: 3, zeroThreshold: 2 ** -17 });
  const start = timeOf(echo!.histogram!.createdTimestamp!);
  expect(start).toBeGreaterThanOrEqual(before);
  expect(start).toBeLessThanOrEqual(Date.now());
});

test('so it is in a cluster that is not ours, such as PM2’s, whichever instance answers', async () => {
  const fixtures = join(process.cwd(), 'test/fixtures');
  const args = [join(fixtures, 'greetings/main.js')];
  const service = await Service.start({ program: join(fixtures, 'foreign-cluster.js'), args });
  for (let scrape = 0; scrape < 4; scrape += 1) {
    const told = await values(service);
    expect(told.get(count('/hello/{name}', 500))).toBe(0);
    expect(told.get('flask_app_request_latency_seconds_count{endpoint="/echo",method="POST"}')).toBe(0);
  }
  await service.get('/hello/Ada');
  expect((await values(service)).get(count('/hello/{name}', 200))).toBe(1);
});

test('METRICS_ZEROS=off shows what somebody has counted', async () => {
  const service = await Service.start({ env: { METRICS_ZEROS: 'off' } });
  await service.get('/hello/Ada');
  const { body } = await service.get('/metrics');
  const counted = parseExposition(body.toString()).get('flask_app_request_count')?.samples ?? [];
  expect(counted.every(({ value }) => value > 0)).toBe(true);
  expect(counted.map(({ labels }) => labels['endpoint'])).toContain('/hello/{name}');
});
