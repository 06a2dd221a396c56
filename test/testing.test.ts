import { Counter } from 'prom-client';
import supertest from 'supertest';
import { startForTests, type TestedService } from '../src/testing';
import { handlers } from './fixtures/greetings/handlers';

const description = require.resolve('./fixtures/greetings/swagger.yaml');

const fails = () => Promise.reject(new Error('no database'));

let api: TestedService | undefined;
afterEach(() => api?.close());

test('a service in a test validates, checks its answers, and tells the cause of a 500', async () => {
  const broken = { ...handlers, greet: () => ({ wrong: true }) };
  api = await startForTests({ description, handlers: broken }, { BODY_LIMIT: '10b' });
  const agent = supertest(api.url);
  await agent.post('/echo').send({ message: 'too long' }).expect(413);
  const { body } = await agent.get('/').expect(500);
  const { requestId } = body as { requestId: string }; // a problem of a 5xx has one
  expect(api.log).toContainEqual(expect.objectContaining({ level: 'error', requestId }));
});

test('its metrics are those of production, the metrics of its handlers included', async () => {
  const greeted = new Counter({ name: 'greeted_total', help: 'Greetings.' });
  const greet = () => (greeted.inc(), { message: 'Hello.' });
  api = await startForTests({ description, handlers: { ...handlers, greet } });
  await supertest(api.url).get('/').expect(200);
  const { text } = await supertest(api.url).get('/metrics').expect(200);
  expect(text).toContain('\ngreeted_total 1\n');
  expect(text).toContain('flask_app_request_count{method="GET",endpoint="/",http_status="200"} 1\n');
});

test('its end is that of a worker: not ready, what is in flight is answered, then stopped', async () => {
  const seen: string[] = [];
  const ended = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push('answered');
    return { message: 'late' };
  };
  const tested = await startForTests({
    description,
    handlers: { ...handlers, greet: () => ((closing = tested.close()), ended()) },
    start: () => 'resources',
    stop: (resources) => void seen.push(`stopped ${String(resources)}`),
  });
  let closing: Promise<void> | undefined;
  await supertest(tested.url).get('/').expect(200);
  await closing;
  expect(seen).toEqual(['answered', 'stopped resources']);
});

test('a service that can not be started says why', async () => {
  await expect(startForTests({ description, handlers, start: fails })).rejects.toThrow('no database');
});
