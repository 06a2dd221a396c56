// pm2 start ecosystem.config.js: PM2 keeps the primary alive, the primary runs one worker per core.
// A reload without downtime is `npm run reload`; `pm2 reload` restarts an app in fork mode.
const shutdownTimeoutMs = Number(process.env.SHUTDOWN_TIMEOUT_MS || 10_000);

module.exports = {
  apps: [
    {
      name: 'koa-cluster-metrics',
      cwd: __dirname,
      script: 'dist/main.js',
      exec_mode: 'fork',
      instances: 1,
      env: { NODE_ENV: 'production' },
      // The primary says that it is ready when all workers are. PM2 calls it online after this time even if it is not.
      wait_ready: true,
      listen_timeout: 30_000,
      // PM2 stops with SIGINT, and kills what is left after this time.
      kill_timeout: shutdownTimeoutMs + 5_000,
      // Bad configuration: a restart does not mend it.
      stop_exit_codes: [78],
      exp_backoff_restart_delay: 100,
    },
  ],
};
