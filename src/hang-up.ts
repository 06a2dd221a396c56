const ignore = (): void => {};

// A SIGHUP asks a service to reload. One that comes while Node still loads the program would end it. A
// program that only imports something from this package ends as any other, once its own modules are loaded.
process.on('SIGHUP', ignore);
setImmediate(() => process.off('SIGHUP', ignore));
