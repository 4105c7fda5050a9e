import { webcrypto } from 'node:crypto';
import type { Graph } from '../network/layers';

/** digest() copies what it hashes on the calling thread before another hashes it: a millisecond's worth at most. */
const chunk = 2 ** 20;

/**
 * Names the contents of a weights file and the graph made of it: models of the same key share packed weights. SHA-256
 * over the SHA-256 of each MiB, and of the graph.
 */
export async function weightsKey(bytes: Uint8Array, graph: Graph): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunk) parts.push(await sha256(bytes.subarray(at, at + chunk)));
  parts.push(await sha256(Buffer.from(JSON.stringify(graph))));
  return Buffer.from(await sha256(Buffer.concat(parts))).toString('hex');
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes));
}
