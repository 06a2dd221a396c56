import { hello } from '../../src/handlers/hello';

test('greets whoever is named', () => {
  const request = { path: { name: 'Ada' }, query: {}, header: {}, cookie: {}, principal: undefined };
  const ctx = {} as Parameters<typeof hello>[1]; // this handler looks at nothing of it
  expect(hello(request, ctx)).toEqual({ message: 'Hello, Ada!' });
});
