import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';

interface Claims {
  readonly shop: string;
  readonly scope: string;
  /** Seconds from now. */
  readonly expires?: number;
  readonly audience?: string;
}

/** Stands in for the login service: signs tokens, and publishes the key that they are checked with. */
export class Issuer {
  readonly #server: Server;
  readonly #key: CryptoKey;

  private constructor(server: Server, key: CryptoKey) {
    this.#server = server;
    this.#key = key;
  }

  static async create(): Promise<Issuer> {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] });
    const server = createServer((_req, res) => {
      res.setHeader('Content-Type', 'application/json').end(keys);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Issuer(server, privateKey);
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('It does not listen');
    return `http://127.0.0.1:${address.port}/`;
  }

  token({ shop, scope, expires = 60, audience = 'orders' }: Claims): Promise<string> {
    return new SignJWT({ scope })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .setSubject(shop)
      .setIssuer(this.url)
      .setAudience(audience)
      .setExpirationTime(Math.floor(Date.now() / 1000) + expires)
      .sign(this.#key);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
