import { join } from 'node:path';
import { handlers } from './generated/handlers.js';
import { defineService } from './http/define-service.js';

/**
 * The service of this program. An API that needs more than handlers states it here: middleware, security,
 * and resources to be started, checked and stopped. The pages lifecycle, middleware and security in docs/
 * have an example of each.
 */
export const service = defineService({
  description: join(__dirname, 'generated/swagger/swagger.yaml'),
  handlers,
});
