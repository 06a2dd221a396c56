// @ts-check
import { fileURLToPath } from 'node:url';
import { handlers } from '../../dist/generated/handlers.js';
import { serve } from './our-service.mjs';

// ours.mjs [uninstrumented]: our service with the API that it comes with.
const description = fileURLToPath(new URL('../../swagger/swagger.yaml', import.meta.url));
serve({ description, handlers, instrumented: process.argv[2] !== 'uninstrumented' });
