import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A self-signed certificate for 127.0.0.1 and localhost. */
export interface Certificate {
  /** The PEM file, which is also the one to trust (`NODE_EXTRA_CA_CERTS`). */
  readonly path: string;
  readonly keyPath: string;
  remove(): void;
}

/** Whether the `openssl` command is installed. */
export function opensslFound(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Makes a certificate that is valid for a day, in a temporary folder. @param name a further host name that it is for */
export function makeCertificate(name = 'localhost'): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'sandman-certificate-'));
  const path = join(dir, 'certificate.pem');
  const keyPath = join(dir, 'key.pem');
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyPath];
  const names = ['-subj', '/CN=localhost', '-addext', `subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:${name}`];
  execFileSync('openssl', ['req', '-x509', '-days', '1', '-out', path, ...key, ...names], { stdio: 'ignore' });
  return { path, keyPath, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
