import { loadContract } from '../../src/http/routing/contract';
import type { Complaint } from '../../src/openapi/schemas/validation';
import { describeApi, operation } from '../http/service-under-test';

const content = (schema: object) => ({ content: { 'application/json': { schema } } });

const told = (complaints: readonly Complaint[] | undefined) =>
  complaints?.map(({ path, message }) => `${path} ${message}`.trim()) ?? [];

/** Returns the complaints about a body of this schema. */
function aboutBody(schema: object, body: unknown, schemas: object = {}): string[] {
  const paths = { '/': { post: operation('a', { requestBody: content(schema) }) } };
  const description = describeApi(paths, { schemas });
  const [found] = loadContract({ description, handlers: { a: () => ({}) } }).operations;
  const [read] = found?.body?.contents.values() ?? [];
  return told(read?.validate?.({ path: {}, query: {}, header: {}, cookie: {}, body }));
}

describe('what stands beside a limit is checked too', () => {
  test.each<[string, object, unknown, unknown]>([
    ['a pattern of names', { propertyNames: { maxLength: 4, pattern: '^[a-z]+$' } }, { a: 1 }, { A1: 1 }],
    ['a choice of names', { propertyNames: { maxLength: 4, enum: ['a', 'b'] } }, { a: 1 }, { c: 1 }],
    [
      'a reference of names',
      { propertyNames: { $ref: '#/components/schemas/Name', maxLength: 4 } },
      { a: 1 },
      { A: 1 },
    ],
    [
      'a shorter limit of names than that of a part',
      { propertyNames: { maxLength: 1 }, allOf: [{ propertyNames: { maxLength: 4 } }] },
      { a: 1 },
      { ab: 1 },
    ],
    ['a pattern of a text', { maxLength: 2, pattern: '^a', allOf: [{ maxLength: 4 }] }, 'ab', 'b'],
    [
      'a shorter limit of a text than that of a part',
      { maxLength: 2, allOf: [{ maxLength: 4 }] },
      'ab',
      'abc',
    ],
    ['unique items', { maxItems: 2, uniqueItems: true, minItems: 1 }, [1, 2], [1, 1]],
    [
      'a pattern of properties',
      { maxProperties: 2, patternProperties: { '^a': { type: 'string' } } },
      { a: '' },
      { a: 1 },
    ],
  ])('%s', (_, schema, good, bad) => {
    const schemas = { Name: { type: 'string', pattern: '^[a-z]+$' } };
    expect(aboutBody(schema, good, schemas)).toEqual([]);
    expect(aboutBody(schema, bad, schemas)).not.toEqual([]);
  });

  test('but not on names that are too long', () => {
    const schema = { propertyNames: { maxLength: 4, pattern: '^[a-z]+$' } };
    expect(aboutBody(schema, { A1234: 1 })).toEqual([
      '/body must NOT have more than 4 characters',
      '/body property name must be valid',
    ]);
  });
});
