import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Config, ConfigError } from './config.js';
import { codeOf, messageOf } from './thrown.js';

/** A certificate, with those between it and the root, and its private key, in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
  /** Certificates of who signs those of clients, in PEM. Without them, no client is asked for one. */
  readonly ca?: string | undefined;
}

/**
 * Reads the files that `TLS_CERT`, `TLS_KEY` and `TLS_CLIENT_CA` name; undefined where they are unset.
 * @throws ConfigError if one cannot be read, or they are no pair
 */
export function readKeyPair({
  tlsCert,
  tlsKey,
  tlsClientCa,
}: Pick<Config, 'tlsCert' | 'tlsKey' | 'tlsClientCa'>): KeyPair | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const pair = { cert: contentOf('TLS_CERT', tlsCert), key: contentOf('TLS_KEY', tlsKey) };
  const ca = tlsClientCa === undefined ? undefined : certificatesOf('TLS_CLIENT_CA', tlsClientCa);
  // Few services have TLS of their own: the module is loaded where it is needed.
  const { createSecureContext }: typeof import('node:tls') = require('node:tls');
  try {
    createSecureContext(pair);
  } catch (err) {
    throw new ConfigError([
      `TLS_CERT, TLS_KEY: expected a certificate and its key in PEM, got ${tlsCert} and ${tlsKey} (${messageOf(err)})`,
    ]);
  }
  return { ...pair, ca };
}

/** Reads certificates. TLS would take a file without any for one that trusts nobody. */
function certificatesOf(name: string, path: string): string {
  const content = contentOf(name, path);
  try {
    void new X509Certificate(content);
    return content;
  } catch (err) {
    throw new ConfigError([`${name}: expected certificates in PEM, got ${path} (${messageOf(err)})`]);
  }
}

function contentOf(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (err) {
    const code = codeOf(err) ?? String(err);
    throw new ConfigError([`${name}: expected a file that can be read, got ${path} (${code})`]);
  }
}
