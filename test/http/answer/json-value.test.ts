import * as fc from 'fast-check';
import { jsonValue } from '../../../src/http/answer/json-value.js';

class Money {
  constructor(
    readonly amount: unknown,
    readonly note?: unknown,
  ) {}
}

class Tagged {
  constructor(private readonly value: unknown) {}

  toJSON(key: string): unknown {
    return { key, value: this.value };
  }
}

/** Values of a handler, with those that JSON leaves out, replaces, or asks for their `toJSON`. */
const { value: answers } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.constantFrom<unknown>(
      undefined,
      NaN,
      Infinity,
      () => 1,
      Symbol('s'),
      Object(1),
      Object('s'),
      Object(false),
    ),
    fc.date(),
    tie('value').map((value) => new Tagged(value)),
    fc.tuple(tie('value'), tie('value')).map((values) => new Money(...values)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'a', '1')), tie('value'), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  ),
}));

describe('the JSON value of an answer', () => {
  it('is what a client reads from the text', () => {
    fc.assert(
      fc.property(answers, (value) => {
        const read: unknown = JSON.parse(JSON.stringify({ value })).value;
        expect(jsonValue(value, 'value')).toStrictEqual(read);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is the value itself if it is plain data all the way down', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(jsonValue(value)).toBe(value);
      }),
    );
  });

  it('asks each toJSON once', () => {
    let calls = 0;
    const counting = () => ({ toJSON: () => (calls += 1) });
    const deep = { a: 1, b: [{ c: counting(), d: { e: counting() } }, counting()] };
    expect(jsonValue(deep)).toEqual({ a: 1, b: [{ c: 1, d: { e: 2 } }, 3] });
    expect(calls).toBe(3);
  });
});
