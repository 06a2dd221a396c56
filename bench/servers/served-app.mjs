// @ts-check
import { serve } from '../../dist/main.js';
import { koaApp } from './koa-app.mjs';

// served-app.mjs: the app of koa.mjs, served by one line.
await serve(() => koaApp());
