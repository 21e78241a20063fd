// Building DOM without markup: foreign text only ever becomes text nodes.

const SVG = "http://www.w3.org/2000/svg";

const SHAPES = {
  chat: ["M12 4c-5 0-9 3.1-9 7 0 2.2 1.3 4.2 3.3 5.5L5.6 20l3.7-1.8c.9.2 1.8.3 2.7.3 5 0 9-3.1 9-7s-4-7.5-9-7.5z"],
  close: ["M6 9l6 6 6-6"],
  clock: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 7.5V12l3 2"],
  clip: ["M20 11.5l-8.2 8.2a5.3 5.3 0 0 1-7.5-7.5l8.6-8.6a3.5 3.5 0 0 1 5 5l-8.6 8.5a1.8 1.8 0 0 1-2.5-2.5l7.8-7.7"],
  cross: ["M6 6l12 12", "M18 6 6 18"],
  file: ["M14 3H7a1 1 0 0 0-1 1v16a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V7z", "M14 3v4h4"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  send: ["M12 19V6", "M6 11.5 12 5.5l6 6"],
  back: ["M15 5l-7 7 7 7"],
  leave: ["M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8", "M10 12h11", "M17 8l4 4-4 4"],
  more: ["M5 12h.01", "M12 12h.01", "M19 12h.01"],
  down: ["M12 5v14", "M6 13l6 6 6-6"],
};

/** An element with attributes (true: present, false: left out) and children (strings become text). */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** A drawn sign, for the eye only. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  for (const shape of SHAPES[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}
