// What has happened, merged by seq: knows what it has for certain, and what is missing.

/**
 * The events of one conversation as this page has them. `events` is sorted by seq, each seq once.
 * `solid` is the last seq up to which nothing is missing (counted from the oldest event here).
 */
export class Timeline {
  constructor() {
    this.reset();
  }

  reset() {
    this.events = [];
    this.solid = 0;
    this.known = 0; // the highest seq that is known to exist
    this.ids = new Set();
  }

  /** The welcome's events. On an empty timeline they are the start; what is older is fetched when asked for. */
  open(frames, seq) {
    if (!this.events.length && frames.length) this.solid = frames[0].prev;
    this.expect(seq);
    this.merge(frames);
  }

  /** There is an event `seq`, even if it is not here yet. */
  expect(seq) {
    this.known = Math.max(this.known, seq);
  }

  /** Takes events in any order; a known seq is ignored. */
  merge(frames) {
    for (const frame of frames) this.#insert(frame);
    this.#advance();
  }

  /** The answer to a range: between `after` and `before` there is nothing but these, unless there is `more`. */
  fill({ after, before, events, more }) {
    this.merge(events);
    if (!more && after <= this.solid && before > this.solid) this.solid = before - 1;
    this.#advance();
  }

  /** The range that must be fetched so that nothing is missing up to the newest event, or null. */
  hole() {
    const next = this.events.find((event) => event.seq > this.solid);
    if (next) return { after: this.solid, before: next.seq };
    return this.known > this.solid ? { after: this.solid, before: this.known + 1 } : null;
  }

  /** The range of what lies before the oldest event here, or null when there is nothing. */
  older() {
    const first = this.events[0];
    return first && first.prev > 0 ? { after: 0, before: first.seq } : null;
  }

  /** From which seq on nothing is missing; 0: from the very first. */
  get from() {
    return this.events.length ? this.events[0].prev : 0;
  }

  #insert(frame) {
    let place = this.events.length;
    while (place > 0 && this.events[place - 1].seq > frame.seq) place -= 1;
    if (place > 0 && this.events[place - 1].seq === frame.seq) return;
    this.events.splice(place, 0, frame);
    if (frame.id) this.ids.add(frame.id);
    this.expect(frame.seq);
  }

  #advance() {
    for (const event of this.events) {
      if (event.seq > this.solid && event.prev <= this.solid) this.solid = event.seq;
    }
  }
}
