// Plain values as a page shows them: links in a text, sizes, colours, moments. Pure.

const PAUSE_MS = 5 * 60_000; // a time stamp stands where nobody wrote for so long

// A host and what may follow it; an address that hides its host behind user:password@ is no link.
const LINK = /(?:https?:\/\/|www\.)[\w-]+(?:\.[\w-]+)*(?![\w-]|:?[^\s/]*@)(?::\d+)?(?:[/?#][\w\-.~:/?#[\]@!$&'()*+,;=%]*)?/gi;

/** Pieces of a text: {text} or {text, url}. Only http, https and www are links, without what only ends a sentence. */
export function linksIn(text) {
  const pieces = [];
  let from = 0;
  for (const found of text.matchAll(LINK)) {
    const link = found[0].replace(/[.,;:!?)\]'*]+$/, "");
    if (found.index > from) pieces.push({ text: text.slice(from, found.index) });
    pieces.push({ text: link, url: /^www\./i.test(link) ? `https://${link}` : link });
    from = found.index + link.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}

/** A size for people: "3.4 MB". */
export function sizeOf(bytes) {
  const [unit, name] = bytes < 2 ** 20 ? [2 ** 10, "KB"] : [2 ** 20, "MB"];
  const count = bytes / unit;
  return `${count < 10 ? Math.max(0.1, count).toFixed(1) : Math.round(count)} ${name}`;
}

/** Black or white, whichever reads better on `colour` (#rrggbb): at least 4.5 to 1. */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) ? "#000000" : "#ffffff";
}

/** "14:05", "昨天 14:05", "星期三 14:05" or a date, as it reads at `now`. */
export function stamp(at, now, texts) {
  const time = timeOf(at, texts);
  const days = daysBetween(at, now);
  if (days <= 0) return time;
  if (days === 1) return `${texts.yesterday} ${time}`;
  return `${days < 7 ? weekday(at, texts) : dateOf(at, now, texts)} ${time}`;
}

/** "今天 14:00", "明天 09:00", "星期一 09:00" or a date: a moment to come, as it reads at `now`; "" if it is past. */
export function moment(at, now, texts) {
  if (at <= now) return "";
  const days = daysBetween(now, at);
  const day = texts.days[days] ?? (days < 7 ? weekday(at, texts) : dateOf(at, now, texts));
  return `${day} ${timeOf(at, texts)}`;
}

/** "14:05", by this machine's clock. */
export function timeOf(at, texts) {
  return new Date(at).toLocaleTimeString(texts.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** So many midnights lie between. */
function daysBetween(before, after) {
  return Math.round((new Date(after).setHours(0, 0, 0, 0) - new Date(before).setHours(0, 0, 0, 0)) / 86_400_000);
}

function weekday(at, texts) {
  return new Date(at).toLocaleDateString(texts.language, { weekday: "long" });
}

function dateOf(at, now, texts) {
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  const day = { year: sameYear ? undefined : "numeric", month: "long", day: "numeric" };
  return new Date(at).toLocaleDateString(texts.language, day);
}

/** The rows with time stamps between them; of those that say something `first` begins what one person says. */
export function withTimes(rows) {
  const timed = [];
  let before = 0;
  let speaker = null;
  for (const row of rows) {
    if (row.at && row.at - before >= PAUSE_MS) {
      timed.push({ key: `time ${row.key}`, kind: "time", at: row.at });
      speaker = null;
    }
    before = Math.max(before, row.at ?? 0);
    const who = row.kind === "notice" ? row.kind : `${row.kind}/${row.by ?? ""}/${row.automatic ?? ""}`;
    timed.push(row.kind === "notice" ? row : { ...row, first: who !== speaker });
    speaker = who;
  }
  return timed;
}

/** How long something lasts, for people: "40 秒", "3 分钟", "2 小时". `texts` has seconds, minutes and hours. */
export function spanOf(ms, texts) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return texts.seconds(seconds < 10 ? seconds : seconds - (seconds % 5));
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? texts.minutes(minutes) : texts.hours(Math.floor(minutes / 60));
}
