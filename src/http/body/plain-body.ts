import type { IncomingMessage } from 'node:http';

/**
 * Reads a body with a Content-Length and without coding, which needs no inflating and cannot be longer
 * than its length. koa-bodyparser, which reads all others, takes several times as long. Rejects if the
 * client leaves before the end.
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
    // The client may have left before the listener was there.
    if (req.destroyed) closed();
  });
}
