// The one line to embed: <script src="https://hub/h5/widget.js" async></script>
//
// Attributes of the tag: data-lang ("zh" or "en"), data-name (what the agents call the visitor).
// A classic script, because an old page may put it anywhere; all else are modules.
(() => {
  const { src, dataset } = document.currentScript;
  const options = { lang: dataset.lang, name: dataset.name };
  const start = () => import(new URL("launcher.js", src).href).then(({ embed }) => embed(options));
  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start);
})();
