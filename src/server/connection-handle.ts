import { readSync } from 'node:fs';
import net, { type Socket } from 'node:net';

/**
 * libuv's side of an open connection, which `process.send` can hand to another process.
 * Node has no public name for it.
 */
export interface ConnectionHandle {
  /** The system's file descriptor; undefined or -1 on Windows. */
  readonly fd?: number;
  /** Whether a socket has started reading from it. */
  reading: boolean;
  readStart(): void;
  readStop(): void;
  close(): void;
  /** Takes bytes as if they had come from the client; only for TLS, where the others are encrypted. */
  receive?(bytes: Uint8Array): void;
}

/** A socket with the field that Node keeps its handle in; null when the connection is gone. */
interface Handled extends Socket {
  _handle: ConnectionHandle | null;
}

/** Tells whether a socket has the field, which Node's types leave out. */
function isHandled(socket: Socket): socket is Handled {
  return '_handle' in socket;
}

export function isConnectionHandle(value: unknown): value is ConnectionHandle {
  return typeof value === 'object' && value !== null && 'readStop' in value && 'close' in value;
}

/**
 * Takes the connection away from its socket, which is closed for everybody else in this process. Later bytes
 * of the client wait in the kernel for the next reader. Returns undefined if the connection is gone already.
 */
export function detach(socket: Socket): ConnectionHandle | undefined {
  if (!isHandled(socket) || !socket._handle) return undefined;
  const handle = socket._handle;
  handle.reading = false;
  handle.readStop();
  socket._handle = null;
  socket.destroy();
  return handle;
}

/**
 * Reads on from a connection that the HTTP parser has stopped because nobody took the body. Once the parser
 * is removed, Node would never start it again.
 */
export function readOn(socket: Socket): void {
  const handle = isHandled(socket) ? socket._handle : undefined;
  if (!handle || handle.reading) return;
  handle.reading = true;
  handle.readStart();
}

/** Bytes that Node reads at a time. */
const READ_SIZE = 64 * 1024;

/**
 * Reads the bytes that have arrived since the last poll for input, and gives them to the HTTP parser.
 * Returns false if there are none.
 */
export function readNow(socket: Socket): boolean {
  const handle = isHandled(socket) ? socket._handle : undefined;
  const fd = handle?.fd ?? -1;
  if (fd < 0) return false;
  const bytes = Buffer.allocUnsafe(READ_SIZE);
  let length: number;
  try {
    length = readSync(fd, bytes);
  } catch {
    return false; // EAGAIN: no bytes have arrived
  }
  if (length === 0 || socket.listenerCount('data') === 0) return false;
  const read = bytes.subarray(0, length);
  // `nextTick` keeps an exception of a listener away from the caller, as when Node reads.
  process.nextTick(() => (handle?.receive ? handle.receive(read) : socket.emit('data', read)));
  return true;
}

/** Returns the socket that carries a TLS connection. */
export function carrierOf(socket: Socket): Socket | undefined {
  const parent: unknown = Reflect.get(socket, '_parent'); // Node's types leave the field out
  return parent instanceof net.Socket ? parent : undefined;
}

/** Makes a socket for a connection that was detached, here or in another process. */
export function attach(handle: ConnectionHandle): Socket {
  // Node's cluster module passes `handle` as well; its types do not declare the option.
  const options = { handle, readable: true, writable: true };
  return new net.Socket(options);
}
