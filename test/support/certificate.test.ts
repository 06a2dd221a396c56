import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { selfSigned } from './certificate';

test('the certificate is for this machine, valid now, and that of the key', () => {
  const pair = selfSigned();
  const certificate = new X509Certificate(pair.cert);
  expect(certificate.checkHost('localhost')).toBe('localhost');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
  expect(() => createSecureContext(pair)).not.toThrow();
});
