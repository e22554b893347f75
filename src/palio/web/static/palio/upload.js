"use strict";
// Sends a file in chunks, goes on after anything, and hands it in. Without this script the form sends it in one piece.
// What is there already is not sent again: to go on after a closed tab, the same file is chosen once more.

(() => {
  const form = document.getElementById("upload");
  if (!form || !window.Worker || !window.fetch) return;
  const input = form.elements.file;
  const byId = (id) => document.getElementById(id);
  const [button, pause, progress, doing, refused] = ["hand-in", "pause", "progress", "doing", "refused"].map(byId);
  const drop = form.querySelector(".drop");
  const { api, challenge, worker: workerAddress, most, mostShown, chunk: chunkBytes } = form.dataset;
  const AT_ONCE = 3;
  const PAUSES_S = [0.5, 1, 2, 4, 8, 15, 30];
  const LATER = new Set(["upload-being-checked", "request-in-progress"]);
  let stop = null; // an AbortController while something is going on
  let known = null; // the last file that was hashed, and its digest

  class Refused extends Error {
    constructor(said) {
      super(said.message);
      this.said = said;
    }
  }

  // -- asking

  const sleep = (seconds, signal) => new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });

  function refusal(status, text) {
    try {
      const said = JSON.parse(text);
      if (said.code && said.message) return said;
    } catch { /* a proxy's page, or nothing */ }
    return { code: "", message: `The platform answered with the status ${status}.`, next_step: "Load this page again, and hand the file in again: what was sent already is kept." };
  }

  function once(method, path, body, headers, signal, progressed) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, `${api}${path}`);
      request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      if (progressed) request.upload.onprogress = (event) => progressed(event.loaded);
      const abort = () => request.abort();
      signal.addEventListener("abort", abort, { once: true });
      request.onload = () => resolve({ status: request.status, text: request.responseText });
      request.onerror = () => resolve({ status: 0, text: "" });
      request.onabort = () => reject(signal.reason);
      request.onloadend = () => signal.removeEventListener("abort", abort);
      request.send(body);
    });
  }

  // Asks until there is an answer: through dropped connections, a platform that starts anew, and "come back later".
  async function ask(method, path, body, headers, signal, progressed) {
    for (let tried = 0, damaged = 0; ; tried++) {
      const { status, text } = await once(method, path, body, headers, signal, progressed);
      if (status >= 200 && status < 300) return text ? JSON.parse(text) : null;
      const said = refusal(status, text);
      const brokeOff = status === 0 || status === 429 || (status >= 502 && status <= 504);
      if (said.code === "chunk-damaged" || said.code === "chunk-incomplete") damaged++;
      const goesOn = brokeOff || LATER.has(said.code) || (damaged > 0 && damaged < 4);
      if (!goesOn) throw new Refused(said);
      const seconds = PAUSES_S[Math.min(tried, PAUSES_S.length - 1)];
      if (brokeOff && tried > 0) doing.textContent = `The platform does not answer. Going on by itself in ${Math.ceil(seconds)} s …`;
      if (progressed) progressed(0);
      await sleep(seconds, signal);
    }
  }

  const post = (path, content, signal, headers = {}) =>
    ask("POST", path, JSON.stringify(content), { "Content-Type": "application/json", ...headers }, signal);

  // -- hashing

  function hashing(signal) {
    const worker = new Worker(workerAddress);
    const waiting = new Map();
    let last = 0;
    worker.onmessage = ({ data }) => {
      const { resolve, reject, progressed } = waiting.get(data.id);
      if (data.done !== undefined) return progressed?.(data.done);
      waiting.delete(data.id);
      if (data.digest) resolve(data.digest);
      else reject(new Refused({ code: "file-unreadable", message: "The file cannot be read any more.", next_step: "It was probably changed or moved. Choose it again." }));
    };
    signal.addEventListener("abort", () => worker.terminate(), { once: true });
    const hash = (blob, progressed) => new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject, progressed });
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      worker.postMessage({ id: last, blob });
    });
    return { hash, end: () => worker.terminate() };
  }

  async function chunkDigest(blob, hash) {
    if (!crypto.subtle) return hash(blob); // plain http from another machine
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // -- the whole story

  const size = (bytes) => {
    const units = ["B", "KiB", "MiB", "GiB"];
    let unit = 0;
    for (; bytes >= 1024 && unit < 3; unit++) bytes /= 1024;
    return `${unit && bytes < 10 ? bytes.toFixed(2) : bytes.toFixed(unit ? 1 : 0)} ${units[unit]}`;
  };

  function show(share, text) {
    progress.hidden = false;
    progress.firstElementChild.value = share;
    if (doing.textContent !== text) doing.textContent = text;
  }

  async function send(file, upload, hash, signal) {
    const there = new Set(upload.present);
    const missing = [...Array(upload.chunk_count).keys()].filter((index) => !there.has(index));
    const length = (index) => Math.min(upload.chunk_bytes, file.size - index * upload.chunk_bytes);
    let sent = [...there].reduce((sum, index) => sum + length(index), 0);
    const underway = new Map();
    const began = performance.now();
    const before = sent;
    const report = () => {
      const now = sent + [...underway.values()].reduce((sum, bytes) => sum + bytes, 0);
      const speed = (now - before) / ((performance.now() - began) / 1000);
      const left = speed > 0 && performance.now() - began > 3000 ? Math.ceil((file.size - now) / speed) : null;
      const time = left === null ? "" : left < 100 ? `, ${left} s left` : `, ${Math.ceil(left / 60)} min left`;
      show(now / file.size, `Sending: ${size(now)} of ${size(file.size)}${time}. If it is interrupted, it goes on from here.`);
    };
    report();
    const lane = async () => {
      for (let index = missing.shift(); index !== undefined; index = missing.shift()) {
        const start = index * upload.chunk_bytes;
        const blob = file.slice(start, start + upload.chunk_bytes);
        const headers = { "Content-Type": "application/octet-stream", "X-Chunk-SHA256": await chunkDigest(blob, hash) };
        await ask("PUT", `/uploads/${upload.id}/chunks/${index}`, blob, headers, signal, (bytes) => {
          underway.set(index, Math.min(bytes, blob.size));
          report();
        });
        underway.delete(index);
        sent += blob.size;
        report();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }

  async function handIn(file, signal) {
    const { hash, end } = hashing(signal);
    try {
      const phase = form.elements.phase.value;
      if (known?.file !== file) {
        const digest = await hash(file, (done) => show(done / file.size, `Reading ${file.name}: ${size(done)} of ${size(file.size)}`));
        known = { file, digest };
      }
      const announced = { name: file.name, size_bytes: file.size, sha256: known.digest, chunk_bytes: Number(chunkBytes), phase };
      const upload = await post(`/challenges/${challenge}/uploads`, announced, signal);
      if (!upload.file) await send(file, upload, hash, signal);
      show(1, "Everything has arrived. It is being checked …");
      const kept = await post(`/uploads/${upload.id}/complete`, { kind: form.elements.kind.value || null }, signal);
      show(1, "Handing it in …");
      const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const content = { file: kept.id, phase, note: form.elements.note.value };
      const submission = await post(`/challenges/${challenge}/submit`, content, signal, { "Idempotency-Key": key });
      location.assign(`/s/${submission.id}/`);
      return true;
    } finally {
      end();
    }
  }

  // -- the form

  function refuse(said) {
    const line = (tag, text) => {
      const element = document.createElement(tag);
      const parts = text.split("`"); // what stands between backticks is code, as on the other pages
      const code = (part) => Object.assign(document.createElement("code"), { textContent: part });
      if (parts.length % 2 === 0) element.textContent = text;
      else element.append(...parts.map((part, place) => (place % 2 ? code(part) : part)));
      return element;
    };
    refused.replaceChildren(line("p", said.message));
    if (said.evidence?.length) {
      const list = document.createElement("ul");
      for (const each of said.evidence) {
        const item = document.createElement("li");
        item.append(line("code", each));
        list.append(item);
      }
      refused.append(list);
    }
    if (said.next_step) refused.append(line("p", `Next: ${said.next_step}`));
    refused.hidden = false;
    progress.hidden = true;
  }

  function fits(file) {
    if (file.size > 0 && file.size <= Number(most)) return true;
    const message = file.size ? `${file.name} has ${size(file.size)}, and files of up to ${mostShown} are taken here.` : `${file.name} is empty.`;
    refuse({ message, next_step: file.size ? "Leave out what is not needed to run it." : "Check how the file was made." });
    return false;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = input.files[0];
    refused.hidden = true;
    if (stop || !file || !fits(file)) return;
    stop = new AbortController();
    button.disabled = input.disabled = true;
    pause.hidden = false;
    let leaves = false;
    try {
      leaves = await handIn(file, stop.signal);
    } catch (error) {
      if (stop.signal.aborted) show(progress.firstElementChild.value, "Paused. Hand it in again to go on from here.");
      else refuse(error.said ?? { message: "Something broke in this page.", next_step: `Load it again, and hand the file in again: what was sent already is kept. (${error})` });
    } finally {
      stop = null;
      pause.hidden = true;
      if (!leaves) button.disabled = input.disabled = false;
    }
  });
  pause.addEventListener("click", () => stop?.abort(new Error("paused")));
  window.addEventListener("pageshow", (event) => { if (event.persisted) button.disabled = input.disabled = false; });
  input.addEventListener("change", () => {
    refused.hidden = progress.hidden = true;
    if (input.files[0]) fits(input.files[0]);
  });
  for (const type of ["dragenter", "dragover"]) drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (stop || !event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
  });
})();
