import { readConfig } from '../../src/config';
import { bootProblem } from '../../src/server/boot-problem';

const error = (fields: object): Error => Object.assign(new Error('its own words'), fields);

const inUse = (port: number): Error =>
  error({ code: 'EADDRINUSE', syscall: 'bind', address: '127.0.0.1', port });

const config = readConfig({ HOST: '127.0.0.1', PORT: '8080', METRICS_PORT: '9464' });

test.each([
  ['PORT', 8080],
  ['METRICS_PORT', 9464],
])('a %s in use is told in a line that names the variable', (variable, port) => {
  expect(bootProblem(inUse(port), config)).toBe(
    `Port ${port} is already in use (127.0.0.1): stop the other program or set ${variable}.`,
  );
});

test('a METRICS_PORT in use is told where the service is on a socket, too', () => {
  const onSocket = readConfig({ LISTEN: 'unix:/run/x', METRICS_PORT: '9464' });
  expect(bootProblem(inUse(9464), onSocket)).toContain('set METRICS_PORT');
});

test.each([
  inUse(7000),
  error({ code: 'EADDRINUSE', syscall: 'listen', address: '/run/own.sock', port: -1 }),
  error({ code: 'EACCES', syscall: 'open', path: '/secret' }),
  error({ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'database' }),
])('an error of what a service opens by itself keeps its words (%#)', (err) => {
  for (const env of [{ METRICS_PORT: '9464' }, { LISTEN: 'unix:/run/x' }])
    expect(bootProblem(err, readConfig(env))).toContain('its own words');
});

test('an error that nobody foresaw is told in a line, below its stack', () => {
  const told = bootProblem(new Error('its own\n  words'), config).split('\n');
  expect(told[0]).toBe('Error: its own');
  expect(told.at(-1)).toBe('The service does not start: its own words');
});

test.each(['HOST', 'METRICS_HOST'])('a %s that is not there is told in a line', (variable) => {
  const err = error({ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'nowhere' });
  expect(bootProblem(err, readConfig({ [variable]: 'nowhere', METRICS_PORT: '9464' }))).toBe(
    `nowhere is no address of this machine: set ${variable} to one that is.`,
  );
});
