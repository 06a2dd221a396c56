import type { Logger } from '../../log.js';
import type { PrimaryMessage } from '../messages.js';
import { cpuProfile, deliver, heapSnapshot } from './inspection.js';

type Order = Extract<PrimaryMessage, { type: 'profile' | 'heap' }>;

/**
 * Makes the profile or heap snapshot that the primary has ordered, and delivers it to its control socket.
 * @param blocks called right before something that keeps the event loop for long
 */
export async function carryOut(order: Order, log: Logger, blocks: () => void): Promise<void> {
  const make = () => (order.type === 'profile' ? cpuProfile(order.seconds) : (blocks(), heapSnapshot()));
  await deliver(order.socket, order.id, make).catch((err: unknown) =>
    log.warn({ err }, 'What was asked for could not be delivered'),
  );
}
