import type { Ajv2020 } from 'ajv/dist/2020.js';
import { _Code, type Code, nil } from 'ajv/dist/compile/codegen/code.js';
import {
  type ScopeValueSets,
  type UsedScopeValues,
  UsedValueState,
  type ValueScopeName,
} from 'ajv/dist/compile/codegen/scope.js';
import type { SchemaEnv } from 'ajv/dist/compile/index.js';
import type { ValidateFunction } from 'ajv';

type Source = NonNullable<ValidateFunction['source']>;

/**
 * Returns JavaScript that declares functions which ajv has compiled, and what they use, each once. ajv's own
 * `standaloneCode` does the same in a time that grows with the square of their number.
 */
export function declarationsOf(ajv: Ajv2020, functions: readonly ValidateFunction[]): string {
  const used: UsedScopeValues = {};
  return functions.map(({ source }) => String(declarationOf(source))).join('');

  function declarationOf(source: Source | undefined): Code {
    if (!source) throw new Error('ajv has kept no source of a function');
    const { validateName: name, validateCode, scopeValues, evaluated } = source;
    if (stateOf(name) === UsedValueState.Completed) return nil;
    (used[name.prefix] ??= new Map()).set(name, UsedValueState.Started);
    const scope = ajv.scope.scopeCode(withoutUnused(scopeValues, validateCode), used, referred);
    const told = evaluated ? `${String(name)}.evaluated = ${String(evaluated)};\n` : '';
    return new _Code(`${String(scope)}\n${withJoinedErrors(validateCode)}\n${told}`);
  }

  /** Returns the code of a function that another one refers to; ajv knows that of any other value. */
  function referred(name: ValueScopeName): Code | undefined {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- ajv puts there what its prefixes say
    const ref = name.value?.ref as ValidateFunction | SchemaEnv;
    if (name.prefix === 'validate' && typeof ref === 'function') return declarationOf(ref.source);
    if ((name.prefix !== 'root' && name.prefix !== 'wrapper') || typeof ref === 'function') return undefined;
    const { validate, validateName } = ref;
    if (!validateName) throw new Error('ajv has no name for a function');
    const wrapper = `const ${String(name)} = {validate: ${String(validateName)}};\n`;
    if (stateOf(validateName) === UsedValueState.Started) return new _Code(wrapper);
    return new _Code(`${wrapper}${String(declarationOf(validate?.source))}`);
  }

  function stateOf(name: ValueScopeName): UsedValueState | undefined {
    return used[name.prefix]?.get(name);
  }
}

/**
 * Adds the errors of a referred schema to the list that there is. ajv copies the list for each value that has
 * some, in a time that grows with the square of their number: seconds for a list of 10,000.
 */
export function withJoinedErrors(code: string): string {
  return code.replaceAll(
    /vErrors = vErrors === null \? (\S+) : vErrors\.concat\(\1\);/g,
    'if (vErrors === null) vErrors = $1; else for (const error of $1) vErrors.push(error);',
  );
}

/**
 * Leaves out schemas that the code does not use. ajv lists the schema of each function, which would take most
 * of a process's memory.
 */
function withoutUnused({ schema, ...others }: ScopeValueSets, code: string): ScopeValueSets {
  const isUsed = (name: ValueScopeName): boolean => code.includes(String(name));
  return { ...others, schema: new Set([...(schema ?? [])].filter(isUsed)) };
}
