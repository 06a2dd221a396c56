/** How often to look whether the parent is still there. */
const LOOK_MS = 250;

/**
 * Calls back when npm, which has started this process by a script, is gone: at a SIGTERM npm and its shell end and
 * tell nobody, and the service would live on as an orphan that keeps the port. A script that ends in `&` means that.
 */
export function onEndOfNpm(ended: () => void): void {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  if (event === undefined || script.trimEnd().endsWith('&')) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    ended();
  }, LOOK_MS);
  timer.unref();
}
