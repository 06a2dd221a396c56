import { join } from 'node:path';
import { handlers } from './generated/handlers.js';
import { defineService } from './http/define-service.js';

/**
 * What this program serves. An API that needs more than handlers states it here: middleware, security, and what is to be started,
 * checked and stopped; docs/lifecycle.md, docs/middleware.md and docs/security.md have an example of each.
 */
export const service = defineService({
  description: join(__dirname, 'generated/swagger/swagger.yaml'),
  handlers,
});
