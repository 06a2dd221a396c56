// @ts-check

/**
 * Listens on a free port of the loopback interface, tells the bench which one, says what CPU time was used when asked
 * (where there is no /proc), and ends with the bench.
 * @param {{ listen(port: number, host: string, ready: () => void): unknown, address(): import('node:net').AddressInfo | string | null }} server
 */
export function announce(server) {
  process.on('message', () => process.send?.(process.cpuUsage()));
  process.on('disconnect', () => process.exit());
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
  });
}
