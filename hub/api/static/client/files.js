// Files in the log: pictures, sound and films where the browser can show them, cards for all else.

import { el, icon } from "./elements.js";
import { sizeOf } from "./plain.js";
import { openPicture } from "./viewer.js";

const SHOWN = { image: "picture", video: "film", audio: "sound" };

/** The views of all files. A file keeps its node as long as it looks the same, so that no picture is loaded twice. */
export class FileViews {
  #views = new Map(); // the row, the file's place in it and its name → {node, name, type, key}
  #bars = new Map(); // id → its progress bar
  #awaited = new Map(); // node → what to do when it comes into sight

  constructor({ client, texts, standsAlone }) {
    this.client = client;
    this.texts = texts;
    this.standsAlone = standsAlone;
    this.sight = new IntersectionObserver((changes) => {
      for (const { isIntersecting, target } of changes) if (isIntersecting) this.#seen(target);
    });
    client.addEventListener("progress", ({ detail: { id, part } }) => {
      const bar = this.#bars.get(id);
      if (bar) bar.value = part;
    });
  }

  /** What stands for a row's files, {id, key, name, type, size}: `id` where they are local, `key` where in the hub. */
  group(files, row) {
    const few = files.length === 1 ? "files" : "files many";
    return el("div", { class: few }, ...files.map((file, at) => this.#cell(file, `${row} ${at}`)));
  }

  /** Why the hub does not take the file, and what helps. */
  refusal({ because: { code, detail } }) {
    const { refusals } = this.texts;
    const limit = detail.match(/limit of ([\d,]+)/)?.[1].replaceAll(",", "");
    return code === "too_big" && limit ? refusals.limit(sizeOf(Number(limit))) : (refusals[code] ?? refusals.other);
  }

  #cell(file, place) {
    const cell = el("div", { class: "file" }, this.#view(file, place));
    if (file.key) this.#bars.delete(file.id);
    else {
      cell.classList.add("unsent");
      cell.append(...this.#unsent(file));
    }
    return cell;
  }

  /** How far its upload is, and the button that takes it back. */
  #unsent({ id, name, because }) {
    const { texts } = this;
    const label = because ? texts.remove(name) : texts.withdraw(name);
    const cross = el("button", { class: "cross", type: "button", "aria-label": label }, icon("cross"));
    cross.addEventListener("click", () => this.client.remove(id));
    if (because) return [cross];
    const bar = this.#bars.get(id) ?? el("progress", { value: "0", max: "1", "aria-label": texts.uploading(name) });
    this.#bars.set(id, bar);
    return [bar, cross];
  }

  #view(file, place) {
    const { id, key, name, type } = file;
    const which = `${place} ${id ?? key}`;
    let view = this.#views.get(which);
    const isSame = view?.name === name && view.type === type;
    // A card from before the file was in the hub has no link yet; a picture goes on showing what is here.
    const isUnlinked = key && !view?.key && view?.node.matches(".card");
    if (!isSame || isUnlinked) view = { name, type, key, node: this.#build(file) };
    this.#views.set(which, view);
    return view.node;
  }

  #build(file) {
    const shown = SHOWN[file.type.split("/")[0]];
    if (!shown) return this.#card(file);
    const media = el(shown === "picture" ? "img" : shown === "film" ? "video" : "audio");
    if (shown !== "picture" && !media.canPlayType(file.type)) return this.#card(file);
    const label = this.texts[shown](file.name);
    return shown === "picture" ? this.#picture(file, media, label) : this.#player(file, media, label);
  }

  #picture(file, image, label) {
    image.alt = label;
    image.decoding = "async";
    const button = el("button", { class: "picture", type: "button" }, image);
    button.addEventListener("click", () => {
      if (image.naturalWidth) openPicture(image, this.texts.closePicture, this.standsAlone);
    });
    this.#load(file, image, button);
    return button;
  }

  #player(file, media, label) {
    media.controls = true;
    media.preload = "metadata";
    media.playsInline = true;
    media.setAttribute("aria-label", label);
    this.#load(file, media, media);
    return media;
  }

  /** Shows what is here, else what the hub has, once the node is in sight. What cannot be shown becomes a card. */
  #load(file, media, node) {
    let hasFailed = false;
    const source = async () => {
      const local = await this.client.localFile(file);
      const address = local ? URL.createObjectURL(local) : file.key ? await this.client.links.get(file.key) : "";
      if (address) media.src = address;
      else this.#replace(node, file);
    };
    media.addEventListener("error", () => {
      if (hasFailed || !file.key) return this.#replace(node, file);
      hasFailed = true; // the link may have run out
      this.client.links.forget(file.key);
      return source();
    });
    media.addEventListener("loadeddata", () => (hasFailed = false)); // a long film may need a second link later on
    this.#inSight(node, source);
  }

  #replace(node, file) {
    const card = this.#card(file);
    node.replaceWith(card);
    for (const view of this.#views.values()) if (view.node === node) view.node = card;
  }

  #card(file) {
    const { texts } = this;
    const [name, ending] = parted(file.name);
    const about = el("span", { class: "about" }, sizeOf(file.size));
    const title = el("span", { class: "title" }, el("span", {}, name), ending);
    const card = el("a", { class: "card" }, icon("file"), el("span", {}, title, about));
    if (!file.key) return card;
    card.setAttribute("aria-label", `${texts.download(file.name)}, ${sizeOf(file.size)}`);
    card.target = "_blank"; // what the browser shows instead must not take the chat's place
    card.rel = "noopener";
    const renew = async () => {
      const link = await this.client.links.get(file.key);
      if (link) card.href = link;
      else {
        card.removeAttribute("href");
        about.textContent = texts.gone;
      }
    };
    card.addEventListener("click", async (event) => {
      if (this.client.links.isGood(file.key)) return;
      event.preventDefault(); // it has run out since it came into sight
      await renew();
      if (card.href) card.click();
    });
    this.#inSight(card, renew);
    return card;
  }

  #inSight(node, then) {
    this.#awaited.set(node, then);
    this.sight.observe(node);
  }

  #seen(node) {
    this.sight.unobserve(node);
    this.#awaited.get(node)?.();
    this.#awaited.delete(node);
  }
}

/** A name and its end, which stays in sight when there is no room for all of it. */
function parted(name) {
  const chars = Array.from(name);
  const end = Math.max(0, chars.length - 8);
  return [chars.slice(0, end).join(""), chars.slice(end).join("")];
}
