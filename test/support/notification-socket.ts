import { setTimeout as delay } from 'node:timers/promises';
import { loadKoffi } from '../../src/koffi';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/**
 * A message to the service manager: the assignments of one datagram, and the time of its arrival
 * (CLOCK_MONOTONIC, microseconds).
 */
export interface Notification {
  readonly at: bigint;
  readonly lines: Readonly<Record<string, string>>;
}

/** A socket as systemd has it for a service: a Unix socket for datagrams, which Node cannot make. */
export class NotificationSocket {
  readonly heard: Notification[] = [];
  readonly #closed = new AbortController();

  /** @param address a path, or a name that begins with @ */
  constructor(address: string) {
    const system = loadKoffi().load(null);
    const socket = system.func('int socket(int domain, int type, int protocol)');
    const bind = system.func('int bind(int fd, const void *address, unsigned int size)');
    const recv = system.func('intptr_t recv(int fd, void *bytes, size_t length, int flags)');
    const close = system.func('int close(int fd)');
    const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    const name = Buffer.from(address.replace(/^@/, '\0'));
    const bound = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
    if (bind(fd, bound, bound.length) !== 0) throw new Error(`cannot listen on ${address}`);
    void this.#listen((bytes) => Number(recv(fd, bytes, bytes.length, MSG_DONTWAIT))).then(() => close(fd));
  }

  /** The first of each line, in order: `READY=1`, … */
  get words(): string[] {
    return this.heard.map(({ lines }) => Object.entries(lines)[0]?.join('=') ?? '');
  }

  close(): void {
    this.#closed.abort();
  }

  async #listen(receive: (bytes: Buffer) => number): Promise<void> {
    const bytes = Buffer.alloc(4_096);
    while (!this.#closed.signal.aborted) {
      const length = receive(bytes);
      if (length > 0) this.#hear(bytes.toString('utf8', 0, length));
      else await delay(5);
    }
  }

  #hear(text: string): void {
    const lines = text.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line)?.slice(1) ?? ['', line]);
    this.heard.push({
      at: process.hrtime.bigint() / 1_000n,
      lines: Object.fromEntries(lines) as Record<string, string>, // of pairs
    });
  }
}
