// @ts-check
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { answers } from './api.mjs';

const answer = (/** @type {string} */ url) =>
  url === '/' ? answers.greet() : answers.hello(url.slice('/hello/'.length));

announce(
  createServer((req, res) => {
    const body = JSON.stringify(answer(req.url ?? ''));
    res.writeHead(200, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
    });
    res.end(body);
  }),
);
