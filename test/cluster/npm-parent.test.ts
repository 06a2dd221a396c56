const NPM = 100;
const INIT = 1;

const before = Object.getOwnPropertyDescriptor(process, 'ppid');
const { npm_lifecycle_event: event, npm_lifecycle_script: script } = process.env;

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  if (before) Object.defineProperty(process, 'ppid', before);
  Object.assign(process.env, { npm_lifecycle_event: event ?? '', npm_lifecycle_script: script ?? '' });
  if (event === undefined) delete process.env['npm_lifecycle_event'];
});

/** Loads the module in a process that npm has started by this script. */
async function startedBy(npmScript: string) {
  let parent = NPM;
  Object.defineProperty(process, 'ppid', { configurable: true, get: () => parent });
  Object.assign(process.env, { npm_lifecycle_event: 'start', npm_lifecycle_script: npmScript });
  jest.resetModules();
  const { onEndOfNpm } = await import('../../src/cluster/npm-parent.js');
  const ended = jest.fn();
  return { watch: () => onEndOfNpm(ended), endNpm: () => (parent = INIT), ended };
}

test.each([
  ['node dist/main.js', 1],
  ['npm run build && node dist/main.js', 1],
  ['node dist/main.js > log 2>&1', 1],
  ['node dist/main.js &> log', 1],
  ['node dist/main.js "a & b" \'c & d\'', 1],
  ['node dist/main.js &', 0],
  ['nohup node dist/main.js & echo $! > service.pid', 0],
  ['(node dist/main.js &) && true', 0],
])('the end of npm that ran %j is told %s times', async (npmScript, times) => {
  const { watch, endNpm, ended } = await startedBy(npmScript);
  watch();
  jest.advanceTimersByTime(1_000);
  expect(ended).not.toHaveBeenCalled();
  endNpm();
  jest.advanceTimersByTime(1_000);
  expect(ended).toHaveBeenCalledTimes(times);
});

test('an npm that ended while the program was loaded is told at once', async () => {
  const { watch, endNpm, ended } = await startedBy('node dist/main.js');
  endNpm();
  watch();
  expect(ended).toHaveBeenCalledTimes(1);
});
