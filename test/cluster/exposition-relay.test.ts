import { RemoteGatherer, sendExposition } from '../../src/cluster/exposition-relay';
import type { PrimaryMessage } from '../../src/cluster/messages';
import { monotonicTime } from '../../src/metrics/exposition/monotonic-time';
import { ONE_BY_ONE, orderOfTwo } from '../support/turns';

const BYTES = Buffer.from('flask_app_request_count{method="GET"} 1 \u{1f600}\n'.repeat(20_000));

/** A worker's gatherer; `asked` are the scrapes that it has sent. An answer is as of long ago unless it says when. */
function gatherer(timeoutMs?: number) {
  const asked: number[] = [];
  const remote = new RemoteGatherer((message) => {
    if (message.type === 'scrape') asked.push(message.id);
  }, timeoutMs);
  const answer = (id: number, text: string, asOf = 0) =>
    remote.receive({ type: 'exposition', id, asOf, bytes: Buffer.from(text), last: true });
  const gather = async () => (await remote.gather('text')).toString();
  return { remote, asked, answer, gather };
}

test('a long exposition travels in parts of bounded size and arrives whole', async () => {
  const { remote, asked } = gatherer();
  const scrape = remote.gather('text');
  const sizes: number[] = [];
  sendExposition({ bytes: BYTES, asOf: 1 }, asked[0]!, (message, taken) => {
    if (message.type !== 'exposition') throw new Error('not a part');
    sizes.push(message.bytes.length);
    expect(message.asOf).toBe(1);
    remote.receive(message);
    taken(null);
  });
  expect((await scrape).equals(BYTES)).toBe(true);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(128 * 1024);
  expect(sizes.length).toBeGreaterThan(3);
});

test('an empty one arrives too', async () => {
  const { remote, asked } = gatherer();
  const scrape = remote.gather('text');
  sendExposition({ bytes: Buffer.alloc(0), asOf: 1 }, asked[0]!, (message) =>
    remote.receive(message as Extract<PrimaryMessage, { bytes: Uint8Array }>),
  );
  expect(await scrape).toHaveLength(0);
});

test('a part is sent when the one before was taken, and none after an error', async () => {
  const taken: ((err: Error | null) => void)[] = [];
  sendExposition({ bytes: BYTES, asOf: 1 }, 1, (_message, done) => void taken.push(done));
  await new Promise(setImmediate);
  expect(taken).toHaveLength(1);
  taken[0]!(null);
  await new Promise(setImmediate);
  expect(taken).toHaveLength(2);
  taken[1]!(new Error('gone'));
  await new Promise(setImmediate);
  expect(taken).toHaveLength(2);
});

test('one scrape runs at a time, which those share that came before the primary began with it', async () => {
  const { asked, answer, gather } = gatherer();
  const first = gather();
  const before = [gather(), gather()];
  const asOf = monotonicTime();
  while (monotonicTime() <= asOf);
  const after = gather();
  answer(1, 'one', asOf);
  expect(await Promise.all([first, ...before])).toEqual(['one', 'one', 'one']);
  expect(asked).toEqual([1, 2]);
  answer(2, 'two', asOf);
  expect(await after).toBe('two');
});

test('those that come after the primary began share the next', async () => {
  const { asked, answer, gather } = gatherer();
  const first = gather();
  const others = [gather(), gather(), gather()];
  expect(asked).toEqual([1]);
  answer(1, 'before');
  expect(await first).toBe('before');
  await new Promise(setImmediate);
  expect(asked).toEqual([1, 2]);
  answer(2, 'after');
  expect(await Promise.all(others)).toEqual(['after', 'after', 'after']);
  const later = gather();
  expect(asked).toEqual([1, 2, 3]);
  answer(3, 'later');
  expect(await later).toBe('later');
});

test('scrapes in different formats run side by side', async () => {
  const { remote, asked, answer } = gatherer();
  const text = remote.gather('text');
  const protobuf = remote.gather('protobuf');
  expect(asked).toEqual([1, 2]);
  answer(2, 'protobuf');
  expect((await protobuf).toString()).toBe('protobuf');
  answer(1, 'text');
  expect((await text).toString()).toBe('text');
});

test('those who share get it one by one', async () => {
  const { answer, gather } = gatherer();
  const first = gather();
  const order = orderOfTwo(gather);
  answer(1, 'all', Infinity);
  expect(await order).toEqual(ONE_BY_ONE);
  await first;
});

test('a scrape that fails, or is not answered in time, rejects, and the next one is not hurt', async () => {
  const { remote, asked, answer, gather } = gatherer(30);
  const failed = gather();
  remote.receive({ type: 'exposition-failed', id: 1, message: 'the ledger is gone' });
  await expect(failed).rejects.toThrow('the ledger is gone');
  const late = gather();
  const next = gather();
  await expect(late).rejects.toThrow('did not answer within 30 ms');
  answer(2, 'too late');
  await new Promise(setImmediate);
  expect(asked).toEqual([1, 2, 3]);
  answer(3, 'in time');
  expect(await next).toBe('in time');
});
