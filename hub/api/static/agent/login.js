// The way in: a name and a password, and what to do where they do not help.

import { el, icon } from "../client/elements.js";
import { request } from "../client/http.js";

/** Resolves to nothing: `entered(login)` is called with what the hub answers, {token, agent}. `notice` is said first. */
export function loginView({ base, env, texts, notice = "", entered }) {
  const name = field("text", texts.name, { autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const password = field("password", texts.password, { autocomplete: "current-password" });
  const button = el("button", { class: "primary" }, texts.logIn);
  const said = el("p", { class: "said-first", role: "alert" }, notice);
  const form = el("form", {}, name.label, password.label, said, button);
  let wait = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const login = { name: name.input.value.trim(), password: password.input.value };
    if (!login.name) return name.input.focus();
    if (!login.password) return password.input.focus();
    busy(true);
    const { status, body, retryAfter } = await ask(login);
    busy(false);
    if (status === 200) return entered(body);
    if (status === 429) return locked(retryAfter || 60);
    say(status === 401 ? texts.wrongLogin : status ? texts.failed(body?.detail ?? status) : texts.unreachable);
    if (status === 401) password.input.select();
    return undefined;
  });

  async function ask(body) {
    try {
      return await request(env.fetch, new URL("api/v1/agents/login", base), { body });
    } catch {
      return { status: 0 };
    }
  }

  function busy(on) {
    button.disabled = on;
    button.textContent = on ? texts.loggingIn : texts.logIn;
    if (on) say("");
  }

  function locked(seconds) {
    clearTimeout(wait);
    button.disabled = seconds > 0;
    say(seconds > 0 ? texts.locked(seconds) : "");
    if (seconds > 0) wait = setTimeout(() => locked(seconds - 1), 1000);
  }

  function say(text) {
    said.textContent = text;
  }

  const head = el("h1", {}, el("span", { class: "mark", "aria-hidden": "true" }, icon("chat")), texts.title);
  const view = el("section", { class: "login" }, head, el("p", { class: "soft" }, texts.welcome), form);
  queueMicrotask(() => name.input.focus({ preventScroll: true }));
  return view;
}

function field(type, words, attributes) {
  const input = el("input", { type, required: true, ...attributes });
  return { input, label: el("label", {}, el("span", {}, words), input) };
}
