// @ts-check

// cold-start.mjs PROGRAM: loads a function for AWS Lambda, calls it once, and says after how many ms of this process' life the answer was
// there, and how much CPU time that took.
process.env['AWS_LAMBDA_FUNCTION_NAME'] = 'bench';
const [program = ''] = process.argv.slice(2);
const event = {
  version: '2.0',
  rawPath: '/',
  rawQueryString: '',
  headers: { host: 'bench' },
  requestContext: { http: { method: 'GET', path: '/', sourceIp: '127.0.0.1' }, stage: '$default' },
  isBase64Encoded: false,
};
const { handler } = await import(program);
const { statusCode } = await handler(event, {});
if (statusCode !== 200) throw new Error(`${program} answered ${statusCode}`);
const { user, system } = process.cpuUsage();
process.send?.({ ms: performance.now(), cpu: (user + system) / 1000 });
process.disconnect?.();
