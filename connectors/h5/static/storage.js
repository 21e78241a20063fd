// Where the record of outbox.js is kept: IndexedDB, shared by the pages of one browser; or this page's memory.

import { EMPTY } from "./outbox.js";

const OPEN_WITHIN_MS = 2000; // some webviews never answer the first open()

/** The storage called `name`; `durable` says whether it outlives the page. */
export async function openStorage(name, factory = globalThis.indexedDB) {
  try {
    const storage = new Durable(name, factory);
    await storage.read();
    return storage;
  } catch {
    return new Memory(); // private mode, a blocked third-party frame: the page still works, for as long as it is open
  }
}

/** One record in IndexedDB. Each update is one transaction, on disk when the promise resolves. */
class Durable {
  durable = true;

  constructor(name, factory) {
    this.name = name;
    this.factory = factory;
    this.database = null;
  }

  /** The record as it is now. */
  read() {
    return this.#transact("readonly");
  }

  /** Replaces the record by `step(record)`, which must be pure; resolves to the new record. */
  update(step) {
    return this.#transact("readwrite", step);
  }

  async #transact(mode, step) {
    try {
      return await this.#once(mode, step);
    } catch (error) {
      if (error?.name !== "InvalidStateError" && error?.name !== "UnknownError") throw error;
      this.database = null; // iOS drops the connection of a page that slept
      return this.#once(mode, step);
    }
  }

  async #once(mode, step) {
    this.database ??= this.#open();
    const database = await this.database;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction("records", mode, { durability: "strict" });
      const records = transaction.objectStore("records");
      const request = records.get("outbox");
      let record = EMPTY;
      request.onsuccess = () => {
        record = request.result ?? EMPTY;
        if (!step) return;
        const before = record;
        record = step(before);
        if (record !== before) records.put(record, "outbox");
      };
      transaction.oncomplete = () => resolve(record);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  #open() {
    const opening = new Promise((resolve, reject) => {
      const request = this.factory.open(this.name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("records");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      setTimeout(() => reject(new Error(`IndexedDB did not open within ${OPEN_WITHIN_MS} ms`)), OPEN_WITHIN_MS);
    });
    opening.catch(() => (this.database = null));
    return opening;
  }
}

/** The same, in memory. */
export class Memory {
  durable = false;
  #record = EMPTY;

  async read() {
    return this.#record;
  }

  async update(step) {
    this.#record = step(this.#record);
    return this.#record;
  }
}
