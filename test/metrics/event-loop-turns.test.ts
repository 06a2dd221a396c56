import { readFile } from 'node:fs';
import { Slices, Turns } from '../../src/metrics/event-loop-turns';
import { ONE_BY_ONE, orderOfTwo } from '../support/turns';

/** Resolves in a callback of an input: answers of workers arrive in such a callback. */
const inputArrives = () => new Promise<void>((resolve) => readFile(__filename, () => resolve()));

test('a pause lets a timer have its turn, also the first one after an input', async () => {
  await inputArrives();
  let fired = false;
  setTimeout(() => (fired = true), 1);
  const slices = await Slices.begin();
  const due = performance.now() + 2;
  while (performance.now() < due);
  await slices.next();
  expect(fired).toBe(true);
});

test('a slice is over when its time is', async () => {
  const slices = await Slices.begin();
  const askedUntilOver = () => Array.from({ length: 16 }, () => slices.over).includes(true);
  const clock = jest.spyOn(performance, 'now');
  const start = performance.now();
  clock.mockReturnValue(start + 100);
  expect(askedUntilOver()).toBe(true);
  await slices.next();
  expect(askedUntilOver()).toBe(false);
  clock.mockReturnValue(start + 103);
  expect(askedUntilOver()).toBe(true);
  clock.mockRestore();
});

test('turns come one by one, and what else there is to do has its own in between', async () => {
  const turns = new Turns();
  expect(await orderOfTwo(() => turns.next())).toEqual(ONE_BY_ONE);
});
