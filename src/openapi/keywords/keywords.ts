import {
  type Ajv2020,
  type CodeKeywordDefinition,
  type KeywordCxt,
  type KeywordErrorDefinition,
  _,
  nil,
  str,
} from 'ajv/dist/2020.js';
import anyOf from 'ajv/dist/vocabularies/applicator/anyOf.js';
import oneOf from 'ajv/dist/vocabularies/applicator/oneOf.js';
import { spendEffort } from './effort.js';
import { hasDuplicate } from './unique.js';

/** The greatest relative error of a quotient of two doubles: two roundings. */
const ROUNDING = 2 ** -51;

/** `multipleOf`, by which 19.99 is a multiple of 0.01 although no double is exactly either. */
const multipleOf: CodeKeywordDefinition = {
  keyword: 'multipleOf',
  type: 'number',
  schemaType: 'number',
  error: {
    message: ({ schemaCode }) => str`must be multiple of ${schemaCode}`,
    params: ({ schemaCode }) => _`{multipleOf: ${schemaCode}}`,
  },
  code(cxt: KeywordCxt) {
    const { gen, data, schemaCode } = cxt;
    if (Number.isInteger(cxt.schema)) {
      cxt.fail(_`${data} % ${schemaCode} !== 0`);
      return;
    }
    const quotient = gen.const('quotient', _`${data} / ${schemaCode}`);
    cxt.fail(_`Math.abs(${quotient} - Math.round(${quotient})) > Math.abs(${quotient}) * ${ROUNDING}`);
  },
};

/** A keyword for a property that must be absent, because it is only in answers, or only in requests. */
const absent: CodeKeywordDefinition = {
  keyword: 'absent',
  schemaType: 'string',
  error: {
    message: ({ schema }) => (schema === 'readOnly' ? 'is read-only' : 'is write-only'),
    params: _`{}`,
  },
  code: (cxt: KeywordCxt) => cxt.fail(_`true`),
};

const uniqueItems: CodeKeywordDefinition = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  error: { message: 'must NOT have duplicate items', params: _`{}` },
  code(cxt: KeywordCxt) {
    if (cxt.schema !== true) return;
    const check = cxt.gen.scopeValue('func', {
      ref: hasDuplicate,
      code: _`require("./keywords/unique.js").hasDuplicate`,
    });
    cxt.fail(_`${check}(${cxt.data})`);
  },
};

/** A keyword that counts the calls of a schema. */
const effort: CodeKeywordDefinition = {
  keyword: 'effort',
  code(cxt: KeywordCxt) {
    const code = _`require("./keywords/effort.js").spendEffort`;
    cxt.gen.code(_`${cxt.gen.scopeValue('func', { ref: spendEffort, code })}()`);
  },
};

/**
 * Says of the error of a choice how many errors of its branches stand before it, and which branches are met.
 * Nothing else in an error of a schema that a branch refers to tells that it belongs to the choice.
 */
const choiceParams: NonNullable<KeywordErrorDefinition['params']> = ({
  errsCount,
  params: { passing = nil },
}) => _`{branchErrors: errors - ${errsCount}, met: ${passing === nil ? null : passing}}`;

function withBranchErrors(choice: CodeKeywordDefinition): CodeKeywordDefinition {
  return { ...choice, error: { message: '', ...choice.error, params: choiceParams } };
}

/** Replaces the keywords of ajv that do not keep what this service promises, and adds its own. */
export function addKeywords(ajv: Ajv2020): void {
  for (const definition of [
    multipleOf,
    uniqueItems,
    absent,
    effort,
    withBranchErrors(anyOf),
    withBranchErrors(oneOf),
  ]) {
    ajv.removeKeyword(String(definition.keyword));
    ajv.addKeyword(definition);
  }
}
