// Publishes to tidewire queues through the HTTP gateway (tidegate), in batches.
// For Node 20 or later; no dependencies. Browser code must not use it.

import { randomUUID } from "node:crypto";

const REQUEST_TIMEOUT_MS = 2500;
const FLUSH_EVERY_MS = 300;
const MAX_BATCH = 50;
const MAX_TRIES = 4;
const MAX_BODY_BYTES = 65536; // the gateway's limit, a quarter of the Python client's
const RETRY_STATUS = new Set([429, 502, 503, 504]);

/** Error answered by the gateway, with the TW code when the body carried one. */
export class GatewayError extends Error {
  constructor(status, code, text) {
    super(`${code ?? "TW-1000"}: gateway answered ${status}: ${text}`);
    this.status = status;
    this.code = code ?? "TW-1000";
  }
}

/** Milliseconds to wait after a failed try: doubling from 200, at most 5000, full jitter. */
export function retryDelay(attempt, random = Math.random) {
  return Math.floor(random() * Math.min(5000, 200 * 2 ** (attempt - 1)));
}

/** Seconds-valued Retry-After header in milliseconds, or null when absent or a date. */
export function retryAfter(headers) {
  const seconds = Number.parseInt(headers.get("retry-after") ?? "", 10);
  return Number.isNaN(seconds) ? null : Math.min(seconds, 30) * 1000;
}

export class Publisher {
  #pending = [];
  #timer = null;

  constructor({ baseUrl = "http://127.0.0.1:7431", token, queue, fetchImpl = fetch }) {
    this.url = `${baseUrl}/v1/queues/${encodeURIComponent(queue)}/messages`;
    this.token = token;
    this.fetch = fetchImpl;
  }

  /** Queue one message; the promise settles when the batch it rode in was answered. */
  publish(type, version, body, { dedupeKey = randomUUID() } = {}) {
    const size = Buffer.byteLength(JSON.stringify(body));
    if (size > MAX_BODY_BYTES) {
      return Promise.reject(new GatewayError(413, "TW-1203", `${size} bytes`));
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ message: { type, version, body, dedupeKey }, resolve, reject });
      if (this.#pending.length >= MAX_BATCH) this.flush();
      else this.#timer ??= setTimeout(() => this.flush(), FLUSH_EVERY_MS);
    });
  }

  /** Send what is waiting now; call it before the process exits. */
  async flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#pending.splice(0, MAX_BATCH);
    if (batch.length === 0) return;
    try {
      const ids = await this.#send(batch.map((entry) => entry.message));
      batch.forEach((entry, n) => entry.resolve(ids[n]));
    } catch (error) {
      batch.forEach((entry) => entry.reject(error));
    }
  }

  /** POST one batch; safe to repeat because every message has a dedupe key. */
  async #send(messages) {
    for (let attempt = 1; ; attempt += 1) {
      let wait = null;
      try {
        const response = await this.fetch(this.url, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${this.token}` },
          body: JSON.stringify({ messages }),
          signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        });
        if (response.ok) return (await response.json()).ids;
        const text = await response.text();
        const failure = new GatewayError(response.status, response.headers.get("x-tidewire-code"), text);
        if (!RETRY_STATUS.has(response.status) || attempt >= MAX_TRIES) throw failure;
        wait = retryAfter(response.headers);
      } catch (error) {
        if (error instanceof GatewayError || attempt >= MAX_TRIES) throw error;
      }
      await new Promise((done) => setTimeout(done, wait ?? retryDelay(attempt)));
    }
  }
}
