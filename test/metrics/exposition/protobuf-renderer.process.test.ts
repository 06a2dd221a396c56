import { execFileSync } from 'node:child_process';

test('the encoder of protobuf is loaded by the first scrape that asks for it', () => {
  const program = `
    const { Registry } = require('prom-client');
    const { processGatherer } = require('./dist/metrics/exposition/process-gatherer.js');
    const { RequestMetrics } = require('./dist/metrics/request-metrics.js');
    const isLoaded = () => Object.keys(require.cache).some((path) => path.includes('protobufjs'));
    const gatherer = processGatherer('p_', new RequestMetrics([1]), new Registry());
    void (async () => {
      for (const format of ['text', 'protobuf']) {
        await gatherer.gather(format);
        console.log(format, isLoaded());
      }
    })();`;
  const printed = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  expect(printed).toBe('text false\nprotobuf true\n');
});
