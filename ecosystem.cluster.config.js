// pm2 start ecosystem.cluster.config.js: PM2's cluster mode, PM2 is the primary. Any instance answers /metrics for all.
const { apps } = require('./ecosystem.config.js');

module.exports = {
  apps: apps.map((app) => ({
    ...app,
    exec_mode: 'cluster',
    instances: process.env.WEB_CONCURRENCY || 'max',
  })),
};
