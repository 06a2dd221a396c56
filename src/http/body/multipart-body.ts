import { createWriteStream, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyConfig, type BusboyInstance } from '@fastify/busboy';
import type { Context } from 'koa';
import type { BodyContent } from '../../openapi/operations/body.js';
import { pointerStep } from '../../openapi/pointer.js';
import { Fields } from '../parameters/fields.js';
import { formReader } from './form-body.js';
import { malformed, refusePrototype } from './json-body.js';
import { Problem } from '../problem.js';
import { streamBody } from './stream-body.js';
import { decodeUtf8 } from './text-body.js';

/** A file of a multipart body. It is removed when the request has been answered. */
export class UploadedFile {
  constructor(
    /** The path of the file on this host's disk. */
    readonly path: string,
    /** The client's name of the file, without folders; `undefined` if it has none. */
    readonly filename: string | undefined,
    /** The media type of the file, as the client declares it. */
    readonly type: string,
    /** The size of the file in bytes. */
    readonly size: number,
  ) {}
}

/** The most parts of one body. */
const MOST_PARTS = 1000;

type Value = Record<string, unknown>;

/**
 * Makes the reader of a `multipart/form-data` body, which converts fields by their
 * schemas and puts files on disk.
 */
export function multipartReader(content: BodyContent): (ctx: Context, limit: number) => Promise<Value> {
  const read = formReader(content);
  return async (ctx, limit) => {
    const upload = new Upload(ctx, content, limit);
    try {
      await upload.receive();
      return { ...read(upload.fields), ...upload.filesByName() };
    } catch (error) {
      await upload.remove();
      throw error;
    }
  };
}

/** Returns the value that is validated: in it a file is a text. */
export function withoutFiles(value: unknown): unknown {
  if (value instanceof UploadedFile) return '';
  if (Array.isArray(value)) return value.map(withoutFiles);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutFiles(one)]));
}

class Upload {
  readonly fields = new Fields((text) => text, true);
  readonly #parts: {
    readonly name: string;
    readonly isUnnamed: boolean;
    readonly stream: Readable;
    readonly value: Promise<UploadedFile | string>;
  }[] = [];
  readonly #received: [string, UploadedFile][] = [];
  readonly #ctx: Context;
  readonly #content: BodyContent;
  readonly #limit: number;
  #folder: string | undefined;

  constructor(ctx: Context, content: BodyContent, limit: number) {
    this.#ctx = ctx;
    this.#content = content;
    this.#limit = limit;
    uploads.set(ctx, this);
  }

  /** Reads the body. Rejects with a Problem for a mistake of the client. */
  async receive(): Promise<void> {
    const busboy = this.#parser();
    await pipeline(streamBody(this.#ctx, this.#limit), busboy).catch((error: unknown) => {
      // busboy leaves the part open that was arriving: its file would stay open, and on the disk, for ever.
      for (const { stream } of this.#parts) stream.destroy();
      throw error instanceof Problem || isGone(error) ? error : malformed('is no multipart/form-data');
    });
    for (const { name, isUnnamed, value } of this.#parts) {
      const part = await value;
      if (typeof part === 'string') this.fields.add(name, part);
      // A browser sends this for an input in which no file was chosen.
      else if (!isUnnamed || part.size > 0) this.#received.push([name, part]);
    }
  }

  filesByName(): Value {
    const found = new Map<string, UploadedFile[]>();
    for (const [name, file] of this.#received) {
      refusePrototype(name);
      const others = found.get(name);
      if (others) others.push(file);
      else found.set(name, [file]);
    }
    const { files: isList } = this.#content;
    for (const [name, { length }] of found)
      if (length > 1 && isList.get(name) === false)
        throw malformed('has more than one file', { in: 'body', path: pointerStep(name) });
    return Object.fromEntries(
      [...found].map(([name, files]) => [
        name,
        files.length > 1 || isList.get(name) === true ? files : files[0],
      ]),
    );
  }

  async remove(): Promise<void> {
    await Promise.allSettled(this.#parts.map(({ value }) => value));
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  #parser(): BusboyInstance {
    const { files, fields, mayBeFile } = this.#content;
    const declared = new Set(fields.map(({ name }) => name));
    const isFile = (name: string, filename: string | undefined) =>
      files.has(name) || (filename !== undefined && !declared.has(name) && mayBeFile(name));
    const config: BusboyConfig = {
      headers: { ...this.#ctx.req.headers, 'content-type': this.#ctx.req.headers['content-type'] ?? '' },
      limits: { fieldSize: this.#limit, fileSize: this.#limit, parts: MOST_PARTS },
      // busboy would replace what is not UTF-8 in a text by U+FFFD.
      isPartAFile: () => true,
    };
    const busboy = parserOf(config);
    busboy.on('file', (name: string | undefined, stream, filename, _encoding, type) => {
      const isUnnamed = filename === '';
      const value =
        name !== undefined && isFile(name, filename)
          ? this.#store(stream, isUnnamed ? undefined : filename, type)
          : textOf(stream, name);
      // The promise is awaited when the whole body has arrived; until then nobody would notice a failure.
      value.catch((error: Error) => busboy.destroy(error));
      this.#parts.push({ name: name ?? '', isUnnamed, stream, value });
    });
    busboy.on('partsLimit', () => busboy.destroy(malformed(`has more than ${MOST_PARTS} parts`)));
    return busboy;
  }

  async #store(stream: Readable, filename: string | undefined, type: string): Promise<UploadedFile> {
    const index = this.#parts.length;
    // This must not wait: an error of the stream that nobody listens to yet would end the process.
    this.#folder ??= mkdtempSync(join(tmpdir(), 'upload-'));
    const path = join(this.#folder, String(index));
    const target = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    await pipeline(stream, target);
    return new UploadedFile(path, filename, type, target.bytesWritten);
  }
}

/** Reads a part that is a text. It rejects with a 400, which names the part, if it is not UTF-8. */
async function textOf(stream: Readable, name: string | undefined): Promise<string> {
  const bytes = await buffer(stream);
  if (name === undefined) throw malformed('has a part without a name');
  return decodeUtf8(bytes, { in: 'body', path: pointerStep(name) });
}

const uploads = new WeakMap<Context, Upload>();

/** Removes the uploaded files of a request, once it is answered and its handler has ended. */
export function andRemoveUploads(serve: (ctx: Context, body: unknown) => Promise<void> | undefined) {
  return async (ctx: Context, body: unknown): Promise<void> => {
    const answered = new Promise((resolve) => ctx.res.once('close', resolve));
    const served = Promise.resolve().then(() => serve(ctx, body));
    void Promise.allSettled([answered, served]).then(() => uploads.get(ctx)?.remove());
    return served;
  };
}

function parserOf(config: BusboyConfig): BusboyInstance {
  try {
    return new Busboy(config);
  } catch {
    throw malformed('has no boundary in its Content-Type');
  }
}

function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    ['ECONNRESET', 'ECONNABORTED', 'ENOSPC'].includes(String(error.code))
  );
}
