import type { IncomingMessage } from 'node:http';

/**
 * Reads a body that has a Content-Length and no coding: nothing of it is to be inflated, and it cannot be longer than it says.
 * koa-bodyparser, which reads all others, takes several times as long. Rejects when the client leaves before the end.
 */
export function readPlainBody(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const closed = () => {
      if (!req.readableEnded)
        reject(Object.assign(new Error('The client has left'), { code: 'ECONNABORTED' }));
    };
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const [first] = chunks;
      resolve(first && chunks.length === 1 ? first : Buffer.concat(chunks));
    });
    req.on('error', reject);
    req.on('close', closed);
    // It may have left before anybody listened.
    if (req.destroyed) closed();
  });
}
