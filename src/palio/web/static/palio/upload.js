"use strict";
// Sends a file by the tus protocol, resumes after an interruption, and submits it. Without this script the form sends
// the file in one piece. The platform knows a file by its digest: after a closed tab, choose the same file again.

(() => {
  const form = document.getElementById("upload");
  if (!form || !window.Worker || !window.fetch) return;
  const input = form.elements.file;
  const byId = (id) => document.getElementById(id);
  const [button, checkButton, pause, progress, doing, refused] = ["submit-file", "check-file", "pause", "progress", "doing", "refused"].map(byId);
  // Texts in the language of the page, with {names} of what is filled in.
  const say = (name, facts = {}) => form.dataset[`say${name}`].replace(/\{(\w+)\}/g, (_, key) => facts[key]);
  const drop = form.querySelector(".drop");
  const { api, challenge, worker: workerAddress, most, mostShown, chunk: chunkBytes } = form.dataset;
  const PAUSES_S = [0.5, 1, 2, 4, 8, 15, 30];
  const TUS = { "Tus-Resumable": "1.0.0" };
  const INTERRUPTED = new Set(["offset-differs", "checksum-differs"]); // the platform says where to continue
  let stop = null; // an AbortController while something is running
  let known = null; // the last file that was hashed, and its digest

  class Refused extends Error {
    constructor(said) {
      super(said.message);
      this.said = said;
    }
  }

  // -- requests

  const sleep = (seconds, signal) => new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });

  function refusal(status, text) {
    try {
      const said = JSON.parse(text);
      if (said.code && said.message) return said;
    } catch { /* a proxy's page, or nothing */ }
    return { code: "", message: say("Status", { status }), next_step: say("Reload") };
  }

  function once(method, path, body, headers, signal, progressed) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch does not report how much of a body was sent
      request.open(method, `${api}${path}`);
      request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      if (progressed) request.upload.onprogress = (event) => progressed(event.loaded);
      const abort = () => request.abort();
      signal.addEventListener("abort", abort, { once: true });
      request.onload = () => resolve(request);
      request.onerror = () => resolve(request);
      request.onabort = () => reject(signal.reason);
      request.onloadend = () => signal.removeEventListener("abort", abort);
      request.send(body);
    });
  }

  // Repeats a request until it is answered: through broken connections, a restart of the platform, and "try later".
  async function ask(method, path, body, headers, signal, progressed) {
    for (let attempt = 0; ; attempt++) {
      const request = await once(method, path, body, headers, signal, progressed);
      const { status, responseText } = request;
      if (status >= 200 && status < 300) return request;
      const said = refusal(status, responseText);
      const unreachable = status === 0 || status === 429 || (status >= 502 && status <= 504);
      if (!unreachable && status !== 423 && said.code !== "request-in-progress") throw new Refused(said);
      const seconds = PAUSES_S[Math.min(attempt, PAUSES_S.length - 1)];
      if (unreachable && attempt > 0) doing.textContent = say("Unreachable", { seconds: Math.ceil(seconds) });
      await sleep(seconds, signal);
    }
  }

  const post = async (path, content, signal, headers = {}) =>
    JSON.parse((await ask("POST", path, JSON.stringify(content), { "Content-Type": "application/json", ...headers }, signal)).responseText);

  // -- the digest

  function digest(file, signal, progressed) {
    const worker = new Worker(workerAddress, { type: "module" });
    const hashed = new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      const unreadable = () => reject(new Refused({ code: "file-unreadable", message: say("Unreadable", { file: file.name }), next_step: say("ChooseAgain") }));
      worker.onmessage = ({ data }) => {
        if (data.digest) resolve(data.digest);
        else if (data.error) unreadable();
        else progressed(data.done);
      };
      worker.onerror = unreadable;
    });
    worker.postMessage(file);
    return hashed.finally(() => worker.terminate());
  }

  // -- the upload

  const size = (bytes) => {
    const units = form.dataset.units.split(" ");
    let unit = 0;
    for (; bytes >= 1024 && unit < 3; unit++) bytes /= 1024;
    const digits = unit ? (bytes < 10 ? 2 : 1) : 0;
    const format = { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false };
    return `${new Intl.NumberFormat(document.documentElement.lang, format).format(bytes)} ${units[unit]}`;
  };

  function show(share, text) {
    progress.hidden = false;
    progress.firstElementChild.value = share;
    if (doing.textContent !== text) doing.textContent = text;
  }

  async function announce(file, phase, sha256, signal) {
    const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
    const metadata = Object.entries({ filename: file.name, sha256, phase }).map(([key, text]) => `${key} ${base64(text)}`);
    const headers = { ...TUS, "Upload-Length": file.size, "Upload-Metadata": metadata.join(",") };
    const created = await ask("POST", `/challenges/${challenge}/uploads`, null, headers, signal);
    return `/uploads/${created.getResponseHeader("Location").split("/").pop()}`;
  }

  async function send(file, upload, signal) {
    const offsetOf = (request) => Number(request.getResponseHeader("Upload-Offset"));
    const head = async () => offsetOf(await ask("HEAD", upload, null, TUS, signal));
    let offset = await head();
    const [began, before] = [performance.now(), offset];
    const report = (sent) => {
      const seconds = (performance.now() - began) / 1000;
      const left = seconds > 3 && sent > before ? Math.ceil(((file.size - sent) * seconds) / (sent - before)) : null;
      const facts = { sent: size(sent), all: size(file.size), time: left < 100 ? `${left} s` : `${Math.ceil(left / 60)} min` };
      show(sent / file.size, say(left === null ? "Sending" : "SendingLeft", facts));
    };
    for (let interrupted = 0; offset < file.size;) {
      report(offset);
      const start = offset;
      const headers = { ...TUS, "Upload-Offset": start, "Content-Type": "application/offset+octet-stream" };
      const chunk = file.slice(start, start + Number(chunkBytes));
      try {
        offset = offsetOf(await ask("PATCH", upload, chunk, headers, signal, (bytes) => report(start + Math.min(bytes, chunk.size))));
        interrupted = 0;
      } catch (error) {
        if (!INTERRUPTED.has(error.said?.code) || ++interrupted > 4) throw error;
        offset = await head();
      }
    }
  }

  async function submit(file, signal, checksFirst) {
    const phase = form.elements.phase.value;
    if (known?.file !== file) {
      const sha256 = await digest(file, signal, (done) => show(done / file.size, say("Reading", { file: file.name, done: size(done), all: size(file.size) })));
      known = { file, sha256 };
    }
    const upload = await announce(file, phase, known.sha256, signal);
    await send(file, upload, signal);
    show(1, say("Checking"));
    const kept = await post(`${upload}/complete`, { kind: form.elements.kind.value || null, phase }, signal);
    if (checksFirst) { // the page shows what was recognized, and submits
      location.assign(`?${new URLSearchParams({ phase, file: kept.id })}`);
      return;
    }
    show(1, say("Submitting"));
    const key = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const answers = {};
    for (const field of form.querySelectorAll("[name^='answer-']")) {
      answers[field.name.slice("answer-".length)] = field.type === "checkbox" ? field.checked : field.value;
    }
    const content = { file: kept.id, phase, note: form.elements.note.value, answers };
    const submission = await post(`/challenges/${challenge}/submit`, content, signal, { "Idempotency-Key": key });
    location.assign(`/s/${submission.id}/`);
  }

  // -- the form

  function refuse(said) {
    const line = (tag, text) => {
      const element = document.createElement(tag);
      const parts = text.split("`"); // text between backticks is code, as on the other pages
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
    if (said.next_step) refused.append(line("p", say("Next", { step: said.next_step })));
    refused.hidden = false;
    progress.hidden = true;
  }

  function fits(file) {
    if (file.size > 0 && file.size <= Number(most)) return true;
    const message = say(file.size ? "TooLarge" : "Empty", { file: file.name, size: size(file.size), limit: mostShown });
    refuse({ message, next_step: say(file.size ? "Remove" : "CheckFile") });
    return false;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = input.files[0];
    refused.hidden = true;
    if (stop || !file || !fits(file)) return;
    stop = new AbortController();
    button.disabled = checkButton.disabled = input.disabled = true;
    pause.hidden = false;
    let leaves = false;
    try {
      await submit(file, stop.signal, event.submitter?.name === "check");
      leaves = true;
    } catch (error) {
      if (stop.signal.aborted) show(progress.firstElementChild.value, say("Paused"));
      else refuse(error.said ?? { message: say("Broken"), next_step: `${say("Reload")} (${error})` });
    } finally {
      stop = null;
      pause.hidden = true;
      if (!leaves) button.disabled = checkButton.disabled = input.disabled = false;
    }
  });
  pause.addEventListener("click", () => stop?.abort(new Error("paused")));
  window.addEventListener("pageshow", (event) => { if (event.persisted) button.disabled = checkButton.disabled = input.disabled = false; });
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
