import supertest from 'supertest';
import { service } from '../../src/service.js';
import { startForTests, type TestedService } from '../../src/testing.js';

let api: TestedService;
beforeAll(async () => {
  api = await startForTests(service);
});
afterAll(() => api.close());

test('greets', async () => {
  await supertest(api.url).get('/').expect(200).expect('Content-Type', /json/);
});

test('greets whoever is named', async () => {
  await supertest(api.url).get('/hello/Ada').expect(200, { message: 'Hello, Ada!' });
});

test('refuses a name that is too long, and says so', async () => {
  const { body } = await supertest(api.url)
    .get(`/hello/${'x'.repeat(65)}`)
    .expect(400);
  expect(body).toMatchObject({ errors: [{ in: 'path', path: '/name' }] });
});

test('sends a message back', async () => {
  await supertest(api.url).post('/echo').send({ message: 'Anybody?' }).expect(200, { message: 'Anybody?' });
});
