import { run } from 'koa-cluster-metrics';

// The primary, which serves nothing, does not load it.
void run(async () => (await import('./service.js')).service);
