// One request to the hub's API.

const WITHIN_MS = 10_000;

/**
 * Resolves to {status, body, retryAfter}, whatever the status; `body` is null where it is no JSON. Throws when the hub
 * cannot be reached within 10 s.
 */
export async function request(fetch, url, { method = "POST", body, token, headers = {} } = {}) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), WITHIN_MS);
  try {
    const answer = await fetch(url, {
      method,
      headers: { ...(body ? JSON_TYPE : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}), ...headers },
      body: body && JSON.stringify(body),
      credentials: "omit",
      signal: abort.signal,
    });
    const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
    return { status: answer.status, body: await answer.json().catch(() => null), retryAfter };
  } finally {
    clearTimeout(timer);
  }
}

const JSON_TYPE = { "Content-Type": "application/json" };
