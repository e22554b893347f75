// A worker that hashes a file of any size: crypto.subtle.digest takes only what fits into memory, and only over TLS.
//
//   file  ->  {done: bytes} after each block, then {digest: "64 hexadecimal digits"} or {error}

import { sha256 } from "../vendor/noble-hashes/sha2.js";

const BLOCK = 4 * 1024 * 1024;

async function hash(file) {
  const hashing = sha256.create();
  for (let at = 0; at < file.size; at += BLOCK) {
    hashing.update(new Uint8Array(await file.slice(at, at + BLOCK).arrayBuffer()));
    self.postMessage({ done: Math.min(at + BLOCK, file.size) });
  }
  self.postMessage({ digest: [...hashing.digest()].map((byte) => byte.toString(16).padStart(2, "0")).join("") });
}

self.onmessage = ({ data }) => hash(data).catch((error) => self.postMessage({ error: String(error) }));
