// A picture on the whole screen; a tap, Esc or back closes it.

import { el, icon } from "./elements.js";

/** Shows what `image` shows. `ownsHistory`: the page is ours, so the browser's back button may close the picture. */
export function openPicture(image, closing, ownsHistory) {
  const dialog = el("dialog", { class: "viewer", "aria-label": image.alt });
  if (!dialog.showModal) {
    window.open(image.src, "_blank"); // Safari before 15.4
    return;
  }
  const close = el("button", { class: "plain", type: "button", "aria-label": closing }, icon("cross"));
  dialog.append(el("img", { src: image.src, alt: image.alt }), close);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // Esc closes the picture, not the chat
  dialog.addEventListener("close", () => dialog.remove());
  image.closest(".panel").append(dialog);
  if (ownsHistory) closeOnBack(dialog);
  dialog.showModal();
}

function closeOnBack(dialog) {
  const back = () => dialog.close();
  history.pushState({ isPicture: true }, "");
  window.addEventListener("popstate", back);
  dialog.addEventListener("close", () => {
    window.removeEventListener("popstate", back);
    if (history.state?.isPicture) history.back();
  });
}
