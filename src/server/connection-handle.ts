import { readSync } from 'node:fs';
import net, { type Socket } from 'node:net';

/** An open connection as libuv has it: what goes to another process with `process.send`. Node has no public name for it. */
export interface ConnectionHandle {
  /** Of the operating system; none, or -1, on Windows. */
  readonly fd?: number;
  /** Whether its socket has made it read. */
  reading: boolean;
  readStop(): void;
  close(): void;
}

type Handled = { _handle: ConnectionHandle | null };

export function isConnectionHandle(value: unknown): value is ConnectionHandle {
  return typeof value === 'object' && value !== null && 'readStop' in value && 'close' in value;
}

/**
 * Takes the connection away from its socket, which is closed for everybody else in this process. What the client sends
 * from now on waits in the kernel for whoever reads next. Undefined when the connection is gone already.
 */
export function detach(socket: Socket): ConnectionHandle | undefined {
  const handled = socket as unknown as Handled;
  const handle = handled._handle;
  if (!handle) return undefined;
  handle.reading = false;
  handle.readStop();
  handled._handle = null;
  socket.destroy();
  return handle;
}

/** As much as Node reads at a time. */
const READ_SIZE = 64 * 1024;

/** Reads what has arrived since the last poll for input, and gives it to the HTTP parser. False when there is nothing. */
export function readNow(socket: Socket): boolean {
  const fd = (socket as unknown as Handled)._handle?.fd ?? -1;
  if (fd < 0) return false;
  const bytes = Buffer.allocUnsafe(READ_SIZE);
  let length: number;
  try {
    length = readSync(fd, bytes);
  } catch {
    return false; // EAGAIN: nothing has.
  }
  if (length === 0 || socket.listenerCount('data') === 0) return false;
  // What throws there is nobody's here, as when Node reads.
  process.nextTick(() => socket.emit('data', bytes.subarray(0, length)));
  return true;
}

/** A socket for a connection that was detached, here or in another process. */
export function attach(handle: ConnectionHandle): Socket {
  // What the cluster module of Node does; the types do not declare the option.
  return new net.Socket({ handle, readable: true, writable: true } as net.SocketConstructorOpts);
}
