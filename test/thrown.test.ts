import { errorOf, messageOf } from '../src/thrown';

const silent: unknown = Object.create(null);
const numbered = Object.assign(new Error('x'), { message: 7 });

test.each<[unknown, string]>([
  [new Error('no such row'), 'no such row'],
  ['a text', 'a text'],
  [null, 'null'],
  [undefined, 'undefined'],
  [{ message: 'x' }, '[object Object]'],
  [numbered, '7'],
  [silent, 'a value that has no text'],
])('whatever was thrown has a message (%#)', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
  expect(errorOf(thrown)).toBeInstanceOf(Error);
});
