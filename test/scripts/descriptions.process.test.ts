import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { copyProject, useGreetings, write } from '../support/project';
import { disposeAll, Service } from '../support/service';

jest.setTimeout(120_000);

const ROOT = resolve(__dirname, '../..');

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'descriptions-'))));
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

function run(name: string, ...args: string[]) {
  return spawnSync('npm', ['run', '-s', name, '--', ...args], { cwd: folder, encoding: 'utf8' });
}

/** Runs the project's own command on a file of the folder. */
function check(text: string) {
  write(folder, { 'api.yaml': text });
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['run', '-s', 'check', '--', join(folder, 'api.yaml')],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  );
  return { status, stdout, stderr: stderr.replaceAll(`${folder}/`, '') };
}

describe('npm run check', () => {
  const FAULTY = `openapi: 3.1.0
info: { title: Faulty, version: '1' }
paths:
  /b:
    get: { operationId: b, responses: { '200': { $ref: '#/components/responses/None' } } }
  /a/{id}:
    get: { operationId: b, responses: { '204': { description: Done. } } }
  /c:
    get:
      operationId: c
      sumary: A misspelt field.
      parameters: [{ name: q, in: query, schema: { type: integer, default: many } }]
      responses: { '204': { description: Done. } }
`;

  test('says all that is wrong at once, by line, column and keyword, and exits with 1', () => {
    const { status, stdout, stderr } = check(FAULTY);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toEqual([
      'api.yaml:5:56 error $ref "#/components/responses/None" leads to nothing',
      expect.stringMatching(/^api\.yaml:7:\d+ error get "\{id\}" of the path is no parameter$/),
      expect.stringMatching(/^api\.yaml:7:\d+ error operationId "b" is also the operationId of GET \/b$/),
      expect.stringMatching(/^api\.yaml:11:\d+ error sumary .*is "summary" meant\?$/),
      'api.yaml:12:76 error default is forbidden by its own schema: must be integer',
      '5 things are wrong with the API description, or not supported.',
    ]);
    expect(status).toBe(1);
  });

  test('warns of what may not be meant, and exits with 0', () => {
    const { status, stdout, stderr } = check(`openapi: 3.0.3
info: { title: Odd, version: '1' }
paths:
  /a:
    get:
      parameters: [{ name: q, in: query, schema: { type: string, format: zip-code, pattern: '^(a+)+$' } }]
      responses: { '204': { description: Done. } }
`);
    expect(stderr).toMatch(/^api\.yaml:6:\d+ warning format .*zip-code/m);
    expect(stderr).toMatch(/^api\.yaml:6:\d+ warning pattern /m);
    expect(stderr).not.toContain(' error ');
    expect(stdout).toMatch(/1 operations, all of them can be served\.\n$/);
    expect(status).toBe(0);
  });

  test.each([
    [
      'another version',
      'swagger: "2.0"\ninfo: {}\n',
      /^api\.yaml:1:\d+ .*Swagger 2\.0 is not served; convert it/m,
    ],
    ['what is not YAML', 'openapi: 3.1.0\npaths: [}\n', /^api\.yaml:2:\d+/m],
  ])('refuses %s with its place and a reason', (_, text, complaint) => {
    const { status, stderr } = check(text);
    expect(stderr.trim()).toMatch(complaint);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(status).toBe(1);
  });
});

describe('npm run scaffold', () => {
  const FOREIGN = `openapi: 3.0.3
info: { title: Boxes, version: '1' }
paths:
  /:
    get: { operationId: greet, responses: { '200': { description: Fine., content: { application/json: { schema: { type: object } } } } } }
  /boxes:
    get:
      operationId: list-boxes
      summary: All boxes */ of them
      responses:
        '200':
          description: Boxes.
          content: { application/json: { schema: { type: array, items: { type: string } }, example: [small, large] } }
    post:
      operationId: sendPicture
      requestBody:
        content: { multipart/form-data: { schema: { type: object, properties: { picture: { type: string, format: binary } } } } }
      responses: { '204': { description: Sent. } }
  /boxes/{id}:
    delete:
      operationId: delete
      parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
      responses: { '204': { description: Gone. } }
`;
  const NAMED_AS_OTHERS = ['status', 'module', '__proto__'];
  const named = NAMED_AS_OTHERS.map(
    (id) =>
      `  /named/${id}:\n    get: { operationId: ${id}, responses: { '204': { description: Fine. } } }\n`,
  ).join('');

  test('writes what is missing, overwrites nothing, and what it wrote is built and answers 501 with the example', async () => {
    copyProject(folder);
    write(folder, { 'swagger/swagger.yaml': FOREIGN });
    rmSync(join(folder, 'src/handlers/hello.ts'));
    rmSync(join(folder, 'src/handlers/echo.ts'));
    const greet = readFileSync(join(folder, 'src/handlers/greet.ts'), 'utf8');

    const { status, stderr } = run('build');
    expect(stderr.match(/.* has no handler, .*/g)).toEqual([
      '"list-boxes" has no handler, src/handlers/list-boxes.ts: "npm run scaffold" writes it.',
      '"sendPicture" has no handler, src/handlers/send-picture.ts: "npm run scaffold" writes it.',
      '"delete" has no handler, src/handlers/delete.ts: "npm run scaffold" writes it.',
    ]);
    expect(status).toBe(1);
    expect(run('scaffold')).toMatchObject({
      status: 0,
      stdout: '3 handlers were written to src/handlers.\n',
    });
    expect(readdirSync(join(folder, 'src/handlers')).toSorted()).toEqual([
      'delete.ts',
      'greet.ts',
      'list-boxes.ts',
      'send-picture.ts',
    ]);
    expect(readFileSync(join(folder, 'src/handlers/greet.ts'), 'utf8')).toBe(greet);
    rmSync(join(folder, 'src/handlers/delete.ts'));
    expect(run('scaffold').stdout).toBe('1 handler was written to src/handlers.\n');
    expect(run('scaffold').stdout).toBe('0 handlers were written to src/handlers.\n');

    expect(run('build')).toMatchObject({ status: 0 });
    const service = await Service.start({ program: join(folder, 'dist/main.js'), cwd: folder });
    const boxes = await service.get('/boxes');
    expect([boxes.status, boxes.body.toString()]).toEqual([501, '["small","large"]']);
    expect((await service.get('/boxes/7', { method: 'DELETE' })).status).toBe(501);
    expect((await service.get('/boxes/x', { method: 'DELETE' })).status).toBe(400);
    expect((await service.get('/')).body.toString()).toBe('{"message":"Hello."}');
  });

  test('writes what is built and answers for operations with the names of others', async () => {
    copyProject(folder);
    write(folder, { 'swagger/swagger.yaml': FOREIGN + named });
    for (const name of ['hello', 'echo']) rmSync(join(folder, `src/handlers/${name}.ts`));
    expect(run('scaffold').stdout).toBe('6 handlers were written to src/handlers.\n');
    expect(run('build')).toMatchObject({ status: 0 });
    const service = await Service.start({ program: join(folder, 'dist/main.js'), cwd: folder });
    for (const id of NAMED_AS_OTHERS) expect((await service.get(`/named/${id}`)).status).toBe(501);
    expect((await service.get('/status')).headers.get('content-type')).toContain('text/html');
  });

  test('says which schemes of security src/service.ts has to have a function for', () => {
    copyProject(folder);
    const schemes = 'components: { securitySchemes: { key: { type: apiKey, in: header, name: X-Key } } }\n';
    write(folder, { 'swagger/swagger.yaml': `${FOREIGN}security: [{ key: [] }]\n${schemes}` });
    expect(run('scaffold').stdout).toContain('a function for each of: key (docs/security.md)');
  });

  test('leaves a file alone that has the name of a handler, whatever is in it', () => {
    copyProject(folder);
    write(folder, { 'swagger/swagger.yaml': FOREIGN, 'src/handlers/list-boxes.ts': '// mine\n' });
    expect(run('scaffold')).toMatchObject({
      status: 0,
      stdout: '2 handlers were written to src/handlers.\n',
    });
    expect(readFileSync(join(folder, 'src/handlers/list-boxes.ts'), 'utf8')).toBe('// mine\n');
  });

  test('has nothing to write for what the service does itself', () => {
    copyProject(folder);
    useGreetings(folder);
    write(folder, {
      'swagger/swagger.yaml': readFileSync(join(folder, 'swagger/swagger.yaml'), 'utf8').replace(
        '\n  /docs:',
        `
  /status:
    get: { operationId: status, responses: { '200': { description: Fine. } } }
  /docs:`,
      ),
    });
    expect(run('scaffold').stdout).toBe('0 handlers were written to src/handlers.\n');
  });
});
