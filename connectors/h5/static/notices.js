// What stands between the messages: that somebody waits, that they are asked whether they are there, that it is over.
// Pure, as rows.js.

const FINE_MINUTES = 10; // from so many on an expected wait is said in steps of five: nobody knows it better
const ENDS = { waiting: ["answer", "closed"], nudged: ["message", "answer", "closed"] }; // what makes a notice void

/** The events whose notice still holds: of each kind the last one, until something has made it void. */
export function standing(events) {
  const holds = new Map();
  for (const event of events) {
    for (const [kind, ends] of Object.entries(ENDS)) if (ends.includes(event.kind)) holds.delete(kind);
    if (event.kind in ENDS) holds.set(event.kind, event);
  }
  return new Set(holds.values());
}

/** The row of an event that is a notice and holds; null for all others. */
export function noticeOf(event, holds) {
  const { at, kind } = event;
  if (kind === "closed") {
    return { key: `seq ${event.seq}`, kind: "notice", at, notice: event.because === "idle" ? "idle" : "closed" };
  }
  if (!holds.has(event)) return null;
  const row = { key: kind, kind: "notice", at };
  if (kind === "nudged") return { ...row, notice: "nudged", until: event.seconds ? at + event.seconds * 1000 : 0 };
  const { position, opens_at: opens = 0, away = "", away_en: awayEn = "" } = event;
  const notice = !event.on_duty ? "nobody" : event.full ? "full" : "waiting";
  return { ...row, notice, position, minutes: minutesOf(event), opens, away: { zh: away, en: awayEn } };
}

/** An expected wait in whole minutes [low, high], rounded outwards; null: nothing is known of it. */
export function minutesOf({ low_s: low = 0, high_s: high = 0 }) {
  if (!high) return null;
  const most = Math.ceil(high / 60);
  const step = most > FINE_MINUTES ? 5 : 1;
  return [Math.floor(Math.floor(low / 60) / step) * step, Math.ceil(most / step) * step];
}
