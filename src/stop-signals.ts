/**
 * Milliseconds within which a second signal is the first one again: a ^C comes
 * from the terminal and from npm.
 */
export const SAME_SIGNAL_MS = 200;
