import http, { type ServerResponse } from 'node:http';
import type https from 'node:https';
import type { KeyPair } from '../key-pair.js';
import { MAX_HEADER_FIELDS } from './refusals.js';

/**
 * Milliseconds for a TLS handshake, and for a header. Both are small: one that takes longer is
 * an attack, or a broken client.
 */
const HEADERS_TIMEOUT_MS = 10_000;

const FIXED = { connectionsCheckingInterval: 1_000 } as const;

/** See the fields of the same names in `Config`. */
export interface ServerLimits {
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxHeaderSize: number | undefined;
}

/**
 * Makes Node's server for HTTP, or with a key pair the one for HTTPS.
 * @param Response the class of its responses
 */
export function createNodeServer(
  limits: ServerLimits,
  Response: typeof ServerResponse,
  keyPair: KeyPair | undefined,
): http.Server | https.Server {
  const options = { ...FIXED, ...optionsOf(limits), ServerResponse: Response };
  const server = keyPair
    ? secureServer({ ...options, ...keyPair, ...askingFor(keyPair) })
    : http.createServer(options);
  // Node drops the fields above this number and says nothing; one more than allowed is enough to notice.
  server.maxHeadersCount = MAX_HEADER_FIELDS + 1;
  return server;
}

/** Asks clients for a certificate. Who has none, or a wrong one, is served all the same what needs none. */
function askingFor({ ca }: KeyPair): https.ServerOptions {
  return ca === undefined ? {} : { requestCert: true, rejectUnauthorized: false };
}

function secureServer(options: https.ServerOptions): https.Server {
  // Few services have TLS of their own: the module is loaded where it is needed.
  const { createServer }: typeof https = require('node:https');
  return createServer({ ...options, handshakeTimeout: HEADERS_TIMEOUT_MS });
}

function optionsOf({
  requestTimeoutMs,
  keepAliveTimeoutMs,
  maxHeaderSize,
}: ServerLimits): http.ServerOptions {
  return {
    requestTimeout: requestTimeoutMs,
    // Node throws if this is above the timeout of the whole request.
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
    keepAliveTimeout: keepAliveTimeoutMs,
    // Without this option, Node's `--max-http-header-size` holds.
    ...(maxHeaderSize !== undefined && { maxHeaderSize }),
  };
}
