"use strict";
// SHA-256 in a worker, over files of any size and wherever a page may be opened: what browsers bring along takes only
// what fits into the memory, and only over TLS or on the reader's own machine.
//
//   {id, blob}  ->  {id, done: bytes} now and then, then {id, digest: "64 hexadecimal digits"} or {id, error}

const BLOCK = 4 * 1024 * 1024;
const K = new Uint32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
  0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
  0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
  0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

class Sha256 {
  constructor() {
    this.state = new Int32Array([
      0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ]);
    this.words = new Int32Array(64);
    this.rest = new Uint8Array(64);
    this.kept = 0; // bytes in `rest`
    this.length = 0;
  }

  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.kept > 0) {
      at = Math.min(64 - this.kept, bytes.length);
      this.rest.set(bytes.subarray(0, at), this.kept);
      this.kept += at;
      if (this.kept < 64) return;
      this.compress(this.rest, 0, 64);
      this.kept = 0;
    }
    const whole = bytes.length - ((bytes.length - at) % 64);
    this.compress(bytes, at, whole);
    this.kept = bytes.length - whole;
    this.rest.set(bytes.subarray(whole), 0);
  }

  digest() {
    const padding = new Uint8Array(this.kept < 56 ? 64 - this.kept : 128 - this.kept);
    const view = new DataView(padding.buffer);
    padding[0] = 0x80;
    view.setUint32(padding.length - 8, Math.floor(this.length / 0x20000000));
    view.setUint32(padding.length - 4, (this.length * 8) % 0x100000000);
    this.update(padding);
    return [...this.state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  compress(bytes, from, to) {
    const w = this.words, s = this.state;
    let a0 = s[0], b0 = s[1], c0 = s[2], d0 = s[3], e0 = s[4], f0 = s[5], g0 = s[6], h0 = s[7];
    for (let at = from; at < to; at += 64) {
      for (let i = 0, j = at; i < 16; i++, j += 4) {
        w[i] = (bytes[j] << 24) | (bytes[j + 1] << 16) | (bytes[j + 2] << 8) | bytes[j + 3];
      }
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15], y = w[i - 2];
        const p = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const q = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[i] = (w[i - 16] + p + w[i - 7] + q) | 0;
      }
      let a = a0, b = b0, c = c0, d = d0, e = e0, f = f0, g = g0, h = h0;
      for (let i = 0; i < 64; i++) {
        const p = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t = (h + p + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const q = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const u = (q + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + t) | 0; d = c; c = b; b = a; a = (t + u) | 0;
      }
      a0 = (a0 + a) | 0; b0 = (b0 + b) | 0; c0 = (c0 + c) | 0; d0 = (d0 + d) | 0;
      e0 = (e0 + e) | 0; f0 = (f0 + f) | 0; g0 = (g0 + g) | 0; h0 = (h0 + h) | 0;
    }
    s[0] = a0; s[1] = b0; s[2] = c0; s[3] = d0; s[4] = e0; s[5] = f0; s[6] = g0; s[7] = h0;
  }
}

async function hash(id, blob) {
  const sha = new Sha256();
  for (let at = 0; at < blob.size; at += BLOCK) {
    sha.update(new Uint8Array(await blob.slice(at, at + BLOCK).arrayBuffer()));
    self.postMessage({ id, done: Math.min(at + BLOCK, blob.size) });
  }
  self.postMessage({ id, digest: sha.digest() });
}

self.onmessage = ({ data }) => {
  hash(data.id, data.blob).catch((error) => self.postMessage({ id: data.id, error: String(error) }));
};
