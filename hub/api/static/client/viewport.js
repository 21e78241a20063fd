// Keeps an element exactly where the screen can be seen, above the phone's keyboard.

/** Sets --visible-top and --visible-height on `element` whenever the visible part of the page changes. */
export function fitViewport(element) {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const fit = () => {
    if (viewport.scale > 1.01) return; // the person zooms: their choice
    element.style.setProperty("--visible-top", `${viewport.offsetTop}px`);
    element.style.setProperty("--visible-height", `${viewport.height}px`);
  };
  viewport.addEventListener("resize", fit);
  viewport.addEventListener("scroll", fit);
  fit();
}
