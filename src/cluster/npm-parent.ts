/** Milliseconds between two checks whether the parent is still there. */
const LOOK_MS = 250;

/** The parent when this module was loaded: it may be gone before anybody asks for its end. */
const parent = process.ppid;

/** A `&` that sends a command to the background. */
const BACKGROUND = /(?<![&>])&(?![&>])/;
const QUOTED = /'[^']*'|"[^"]*"/g;

/**
 * Calls back when npm, which has started this process by a script, is gone. At a SIGTERM npm and its
 * shell end without telling this process, which would live on as an orphan and keep the port. A script
 * that sends a command to the background wants that.
 */
export function onEndOfNpm(ended: () => void): void {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '' } = process.env;
  if (event === undefined || BACKGROUND.test(script.replaceAll(QUOTED, ''))) return;
  if (process.ppid !== parent) return ended();
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    ended();
  }, LOOK_MS);
  timer.unref();
}
