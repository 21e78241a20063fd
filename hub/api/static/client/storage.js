// Where the record of outbox.js is kept, and the bytes of its files: IndexedDB, shared by the pages of one browser; or
// this page's memory.

import { EMPTY, filesOf } from "./outbox.js";

const FILE = "file ";
const OPEN_WITHIN_MS = 2000; // some webviews never answer the first open()

/** The record `key` of the storage called `name`; `durable` says whether it outlives the page. */
export async function openStorage(name, factory = globalThis.indexedDB, key = "outbox") {
  try {
    const storage = new Durable(name, factory, key);
    await storage.read();
    return storage;
  } catch {
    return new Memory(); // private mode, a blocked third-party frame: the page still works, for as long as it is open
  }
}

/**
 * One record in IndexedDB, and beside it the bytes of its files. Each update is one transaction, on disk when the
 * promise resolves. Bytes, because a Blob may stand for a file that has changed or is gone when it is read.
 */
class Durable {
  durable = true;

  constructor(name, factory, key) {
    this.name = name;
    this.factory = factory;
    this.key = key;
    this.database = null;
  }

  /** The record as it is now. */
  read() {
    return this.#transact("readonly", (records) => {
      const whole = { record: EMPTY };
      read(records, this.key, (record) => (whole.record = record));
      return () => whole.record;
    });
  }

  /**
   * Replaces the record by `step(record)`, which must be pure; resolves to the new record. `bytes` are those of the
   * files that it adds, by their id; those of files that it forgets are forgotten.
   */
  update(step, bytes = new Map()) {
    return this.#transact("readwrite", (records) => {
      const whole = { record: EMPTY };
      read(records, this.key, (before) => {
        whole.record = step(before);
        if (whole.record === before) return;
        records.put(whole.record, this.key);
        for (const [id, each] of bytes) records.put(each, fileKey(id));
        for (const id of forgotten(before, whole.record)) records.delete(fileKey(id));
      });
      return () => whole.record;
    });
  }

  /** The keys of all records of this storage. */
  keys() {
    return this.#transact("readonly", (records) => {
      const request = records.getAllKeys();
      return () => request.result.filter((key) => !key.startsWith(FILE));
    });
  }

  /** There is no such record any more. */
  forget() {
    return this.#transact("readwrite", (records) => {
      records.delete(this.key);
      return () => undefined;
    });
  }

  /** The bytes of a file, an ArrayBuffer; undefined when there are none. */
  file(id) {
    return this.#transact("readonly", (records) => {
      const request = records.get(fileKey(id));
      return () => request.result;
    });
  }

  async #transact(mode, work) {
    try {
      return await this.#once(mode, work);
    } catch (error) {
      if (error?.name !== "InvalidStateError" && error?.name !== "UnknownError") throw error;
      this.database = null; // iOS drops the connection of a page that slept
      return this.#once(mode, work);
    }
  }

  async #once(mode, work) {
    this.database ??= this.#open();
    const database = await this.database;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction("records", mode, { durability: "strict" });
      const result = work(transaction.objectStore("records"));
      transaction.oncomplete = () => resolve(result());
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

function read(records, key, then) {
  const request = records.get(key);
  // What an older page has kept knows nothing of files.
  request.onsuccess = () => then(request.result ? { ...EMPTY, ...request.result } : EMPTY);
}

function fileKey(id) {
  return `${FILE}${id}`;
}

/** The ids of the files that are in the one record and not in the other. */
function forgotten(before, after) {
  const left = new Set(filesOf(after).map(({ id }) => id));
  return filesOf(before).map(({ id }) => id).filter((id) => !left.has(id));
}

/** The same, in memory. */
export class Memory {
  durable = false;
  #record = EMPTY;
  #files = new Map();

  async read() {
    return this.#record;
  }

  async update(step, bytes = new Map()) {
    const before = this.#record;
    this.#record = step(before);
    for (const [id, each] of bytes) this.#files.set(id, each);
    for (const id of forgotten(before, this.#record)) this.#files.delete(id);
    return this.#record;
  }

  async keys() {
    return [];
  }

  async forget() {
    this.#record = EMPTY;
  }

  async file(id) {
    return this.#files.get(id);
  }
}
