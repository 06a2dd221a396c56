import { execFile } from 'node:child_process';
import { type Koffi, loadKoffi } from '../../koffi.js';
import type { Logger } from '../../log.js';

/** Sends one message of `NAME=value` lines. Resolves with whether it was taken; never rejects. */
export type Notify = (message: string) => Promise<boolean>;

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0x8_0002;
/** A manager that does not read must not hold this process up, and one that is gone must not end it. */
const DONTWAIT_NOSIGNAL = 0x4040;

const PROGRAM = 'systemd-notify';
const WITHOUT_KOFFI = `koffi is not installed: the service manager is told by ${PROGRAM}, which needs NotifyAccess=all`;
const PROGRAM_MS = 5_000;

/**
 * The way to whoever has started this process, as sd_notify(3) has it: datagrams to a Unix socket,
 * for which Node has no function. koffi calls the system's; where that is not installed,
 * `systemd-notify` is run for each message.
 * @param address of the socket: a path, or a name that begins with @
 */
export function notificationSocket(address: string, log: Logger): Notify {
  try {
    return throughKoffi(loadKoffi(), address);
  } catch {
    log.warn(WITHOUT_KOFFI);
    return throughProgram(address);
  }
}

function throughKoffi(koffi: Koffi, address: string): Notify {
  const system = koffi.load(null);
  const socket = system.func('int socket(int domain, int type, int protocol)');
  const sendto = system.func(
    'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, unsigned int size)',
  );
  const fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (typeof fd !== 'number' || fd < 0) throw new Error('no Unix socket can be made');
  const to = unixAddress(address);
  return (message) => {
    const bytes = Buffer.from(message);
    return Promise.resolve(
      sendto(fd, bytes, bytes.length, DONTWAIT_NOSIGNAL, to, to.length) === bytes.length,
    );
  };
}

/** A `sockaddr_un`. A name that begins with @ is no file: a 0 stands in its place, and none at the end. */
function unixAddress(address: string): Buffer {
  const isAbstract = address.startsWith('@');
  const name = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  const family = Buffer.from(Uint16Array.of(AF_UNIX).buffer);
  return Buffer.concat([family, name]);
}

function throughProgram(address: string): Notify {
  const options = { env: { PATH: process.env['PATH'], NOTIFY_SOCKET: address }, timeout: PROGRAM_MS };
  return (message) =>
    new Promise((resolve) => {
      execFile(PROGRAM, message.split('\n'), options, (err) => resolve(err === null));
    });
}
