import { type Koffi, loadKoffi } from '../koffi.js';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * Ignores signals, which the primary turns into messages: a terminal's ^C and PM2's stop reach every process
 * of the group. Ends this process with its primary.
 */
export function obeyOnlyThePrimary(primary: number): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  process.once('disconnect', () => process.exit(0));
  dieWithParent(primary);
}

/**
 * Asks Linux to kill this process when its parent is gone (prctl(2), PR_SET_PDEATHSIG). A busy or stopped
 * event loop does not notice the end of the IPC channel, and such a worker would outlive its primary. Without
 * koffi or Linux only the channel tells.
 */
function dieWithParent(parent: number): void {
  if (process.platform !== 'linux') return;
  let koffi: Koffi;
  try {
    koffi = loadKoffi();
  } catch {
    return;
  }
  const prctl = koffi.load(null).func('int prctl(int option, unsigned long argument)');
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent went between the fork and the call: the signal will not come.
  if (process.ppid !== parent) process.exit(1);
}
