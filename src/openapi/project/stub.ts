import type { Operation } from '../operations/operation.js';
import type { HandlerName } from './handler-names.js';

/**
 * Writes the TypeScript source of a handler that is still to be written: it answers 501,
 * with an example if there is one.
 */
export function stub({ id, method, path, place }: Operation, { name, file }: HandlerName): string {
  const summary = place.at('summary').value;
  const up = '../'.repeat(file.split('/').length);
  const about = typeof summary === 'string' && summary !== '' ? `: ${oneLine(summary)}` : '';
  const example = exampleOf({ place });
  const answer = `notImplemented(ctx${example === undefined ? '' : `, ${JSON.stringify(example, undefined, 2)}`})`;
  const [declared, exported] = isReserved(name)
    ? ['handle', `\n\nexport { handle as ${name} };`]
    : [name, ''];
  return `import type { Handler } from '${up}http/handler.js';
import { notImplemented } from '${up}http/not-implemented.js';

/** ${method} ${oneLine(path)}${about} */
${exported === '' ? 'export ' : ''}const ${declared}: Handler<${JSON.stringify(id)}> = (_request, ctx) =>
  ${answer.replaceAll('\n', '\n  ')};${exported}
`;
}

/** Returns the example of a success, from its content or its schema. */
function exampleOf({ place }: Pick<Operation, 'place'>): unknown {
  const [, success] =
    place
      .at('responses')
      .entries()
      .find(([status]) => status.startsWith('2')) ?? [];
  const [, content] = success?.at('content').entries()[0] ?? [];
  if (!content) return undefined;
  const [, named] = content.at('examples').entries()[0] ?? [];
  const { value: listed } = content.at('schema').at('examples');
  return [
    content.own('example').value,
    named?.own('value').value,
    content.at('schema').own('example').value,
    Array.isArray(listed) ? (listed[0] as unknown) : undefined, // data
  ].find((example) => example !== undefined);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('*/', '* /').trim();
}

/**
 * Tells whether a name can be exported, but is no variable of the file: a word of the language, a name of
 * every module or of this one, or a global, which the compiler's own code may use.
 */
function isReserved(name: string): boolean {
  return RESERVED.split(' ').includes(name) || name in globalThis;
}

const RESERVED =
  'arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield module exports require __dirname __filename Handler notImplemented';
