import { nanoid } from 'nanoid';

test('a package that is an ES module can be imported in a test as in a source', () => {
  expect(nanoid()).toHaveLength(21);
});
