// The ways in which a file comes into the chat: chosen, pasted or dropped.

import { el, icon } from "./elements.js";

// What phones offer the camera and the gallery for, and what people send; what the hub does not take it refuses itself.
const ACCEPT =
  "image/*,video/*,audio/*,.pdf,.doc,.docx,.xls,.xlsx,.ppt,.pptx,.wps,.et,.dps,.ofd,.txt,.csv,.zip,.rar,.7z";

/** The button with the paper clip and what it opens; `choose(files)` is told. */
export function chooser(label, choose) {
  const input = el("input", { type: "file", multiple: true, accept: ACCEPT, hidden: true, tabindex: "-1" });
  const button = el("button", { class: "plain clip", type: "button", "aria-label": label }, icon("clip"));
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // the same file may be chosen again
    if (files.length) choose(files);
  });
  return [button, input];
}

/** Takes the files that are pasted or dropped anywhere in `panel`. */
export function takeFiles(panel, choose) {
  const take = (event, { files, types }) => {
    // A table from a spreadsheet is pasted as its text, though its picture is there too.
    if (!files.length || (event.type === "paste" && types.includes("text/plain"))) return;
    event.preventDefault();
    choose([...files]);
  };
  let depth = 0; // each element that is entered is left again
  const drag = (by) => (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    depth += by;
    panel.classList.toggle("dropping", depth > 0);
  };
  panel.addEventListener("paste", (event) => take(event, event.clipboardData));
  panel.addEventListener("dragenter", drag(1));
  panel.addEventListener("dragover", drag(0));
  panel.addEventListener("dragleave", drag(-1));
  panel.addEventListener("drop", (event) => {
    depth = 0;
    panel.classList.remove("dropping");
    take(event, event.dataTransfer);
  });
}
