import cluster, { type Worker as ForkedProcess } from 'node:cluster';
import { type ConnectionHandle, isConnectionHandle } from '../server/connection-handle.js';
import type { Logger } from '../log.js';
import type { ClusterRegistry } from '../metrics/exposition/cluster-registry.js';
import type { Exposition } from '../metrics/exposition/gatherer.js';
import { sendConnection } from './connection-channel.js';
import { sendExposition } from './exposition-relay.js';
import type { WorkerHandle } from './supervision/worker-record.js';
import { takeRequestsInFlight } from '../metrics/ledger/requests-in-flight.js';
import { parseWorkerMessage, type PrimaryMessage, type Wanted, type WorkerMessage } from './messages.js';
import { waitedForProcessor } from './supervision/processors.js';
import type { SupervisorEvent } from './supervision/supervisor.js';
import { assignmentVariables, type WorkerAssignment } from './worker-assignment.js';

type Sent = (err: Error | null) => void;

/**
 * Forks a worker and connects it: messages about metrics go to the registry, all messages and its end to the
 * supervisor. Nothing that a worker sends can throw here.
 * @param variables the worker's environment variables
 * @param gather makes a document that the worker asks for
 */
export function forkWorker(
  assignment: WorkerAssignment,
  registry: ClusterRegistry,
  log: Logger,
  enqueue: (event: SupervisorEvent) => void,
  inherit: (connection: ConnectionHandle) => void,
  variables: Record<string, string>,
  gather: (wanted: Wanted) => Promise<Exposition>,
): WorkerHandle {
  const { generation, id: fileId } = assignment;
  const worker = fork(assignment, variables, log);
  if (!worker) {
    enqueue({ type: 'exit', generation, code: 1, signal: null });
    return {
      pid: undefined,
      waitedForProcessor: () => 0,
      inFlight: () => [],
      send() {},
      give: (connection) => connection.close(),
      kill() {},
    };
  }
  const child = worker.process;
  const send = (message: PrimaryMessage, sent: Sent = () => {}): void => {
    if (worker.isConnected()) child.send(message, undefined, {}, sent);
    else sent(new Error('The worker is gone'));
  };
  // When the worker ends, Node forgets connections that were not sent yet. They would stay
  // open, and nobody would answer.
  const given = new Set<ConnectionHandle>();
  const give = (connection: ConnectionHandle): void => {
    given.add(connection);
    void sendConnection(child, 'adopt', connection).then(() => given.delete(connection));
  };
  let ready = false;
  const ask = (id: number): boolean => {
    if (ready) send({ type: 'collect', id });
    return ready;
  };
  registry.addWorker(generation, ask, fileId);
  let warned = false;
  worker.on('message', (value: unknown, handle: unknown) => {
    const message = parseWorkerMessage(value);
    if (isConnectionHandle(handle)) inherit(handle);
    ready ||= message?.type === 'ready';
    if (message && route(generation, message, registry, gather, send)) {
      enqueue({ type: 'message', generation, message });
    } else if (!warned) {
      warned = true;
      log.warn({ worker: generation }, 'A worker sent what is no message of ours; it is ignored');
    }
  });
  let inFlight: ReturnType<typeof takeRequestsInFlight> = [];
  const end = once((code: number | null, signal: string | null) => {
    // This must come before the registry removes the worker's files.
    inFlight = takeRequestsInFlight(assignment.folder, fileId);
    registry.removeWorker(generation);
    for (const connection of given) connection.close();
    given.clear();
    enqueue({ type: 'exit', generation, code, signal });
  });
  // `exit` would be too early: a worker's last messages may still be on their way then.
  child.once('close', end);
  worker.on('error', (err) => {
    log.warn({ worker: generation, err }, 'A worker could not be started, ended or told something');
    if (child.pid === undefined) end(1, null);
  });
  return {
    pid: child.pid,
    waitedForProcessor: () => (child.pid === undefined ? 0 : waitedForProcessor(child.pid)),
    inFlight: () => inFlight,
    send,
    give,
    kill: () => void child.kill('SIGKILL'),
  };
}

/**
 * Forks; undefined if that throws. Node reports most failures by an event, but throws those that it does not
 * know, such as a lack of memory.
 */
function fork(
  assignment: WorkerAssignment,
  variables: Record<string, string>,
  log: Logger,
): ForkedProcess | undefined {
  try {
    return cluster.fork({ ...variables, ...assignmentVariables(assignment) });
  } catch (err) {
    log.warn({ worker: assignment.generation, err }, 'A worker could not be started');
    return undefined;
  }
}

/** Acts on a message about metrics. Returns false for a snapshot that can't be parsed. */
function route(
  generation: number,
  message: WorkerMessage,
  registry: ClusterRegistry,
  gather: (wanted: Wanted) => Promise<Exposition>,
  send: (message: PrimaryMessage, sent?: Sent) => void,
): boolean {
  switch (message.type) {
    case 'ready':
      registry.workerReady();
      return true;
    case 'foreseen':
      registry.foresee(message.series);
      return true;
    case 'ledger-failed':
      registry.ledgerFailed(generation);
      return true;
    case 'snapshot':
      return registry.receiveSnapshot(generation, message.id, message.snapshot);
    case 'goodbye': {
      const received = registry.receiveSnapshot(generation, undefined, message.snapshot);
      if (received) send({ type: 'goodbye-ack' });
      return received;
    }
    case 'scrape': {
      const { id, format } = message;
      gather(format).then(
        (exposition) => sendExposition(exposition, id, send),
        (err: unknown) => send({ type: 'exposition-failed', id, message: String(err).slice(0, 1_000) }),
      );
      return true;
    }
    default:
      return true;
  }
}

function once<A extends unknown[]>(act: (...args: A) => void): (...args: A) => void {
  let done = false;
  return (...args) => {
    if (!done) act(...args);
    done = true;
  };
}
