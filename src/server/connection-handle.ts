import { readSync } from 'node:fs';
import net, { type Socket } from 'node:net';

/** libuv's side of an open connection, which `process.send` can hand to another process. Node has no public name for it. */
export interface ConnectionHandle {
  /** The system's descriptor; none, or -1, on Windows. */
  readonly fd?: number;
  /** Whether the socket has made it read. */
  reading: boolean;
  readStop(): void;
  close(): void;
}

/** A socket with the field that Node keeps its handle in; null when the connection is gone. */
type Handled = { _handle: ConnectionHandle | null };

export function isConnectionHandle(value: unknown): value is ConnectionHandle {
  return typeof value === 'object' && value !== null && 'readStop' in value && 'close' in value;
}

/**
 * Takes the connection away from its socket, which is closed for everybody else in this process. What the client sends
 * from now on waits in the kernel for whoever reads next. Undefined when the connection is gone already.
 */
export function detach(socket: Socket): ConnectionHandle | undefined {
  const handled = socket as unknown as Handled; // Node's types leave the field out
  const handle = handled._handle;
  if (!handle) return undefined;
  handle.reading = false;
  handle.readStop();
  handled._handle = null;
  socket.destroy();
  return handle;
}

/** How much Node reads at a time. */
const READ_SIZE = 64 * 1024;

/** Reads what has arrived since the last poll for input, and gives it to the HTTP parser. False when there is nothing. */
export function readNow(socket: Socket): boolean {
  const fd = (socket as unknown as Handled)._handle?.fd ?? -1; // Node's types leave the field out
  if (fd < 0) return false;
  const bytes = Buffer.allocUnsafe(READ_SIZE);
  let length: number;
  try {
    length = readSync(fd, bytes);
  } catch {
    return false; // EAGAIN: nothing has.
  }
  if (length === 0 || socket.listenerCount('data') === 0) return false;
  // An exception of a listener reaches nobody here, as when Node reads.
  process.nextTick(() => socket.emit('data', bytes.subarray(0, length)));
  return true;
}

/** Makes a socket for a connection that was detached, here or in another process. */
export function attach(handle: ConnectionHandle): Socket {
  // Node's own cluster module does so; its types do not declare `handle`.
  const options = { handle, readable: true, writable: true };
  return new net.Socket(options);
}
