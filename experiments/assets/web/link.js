// The server: what it tells, and what it is asked for. Addresses are relative, so that each has the token.

// Hears events until the page closes; after a break the server begins anew, with a snapshot.
export function listen(handlers, linked) {
  const source = new EventSource("events");
  for (const [kind, handle] of Object.entries(handlers)) {
    source.addEventListener(kind, (event) => handle(JSON.parse(event.data)));
  }
  source.onopen = () => linked(true);
  source.onerror = () => {
    linked(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(handlers, linked), 2000);
  };
  addEventListener("pagehide", () => source.close());
}

// Asks for an action; returns what it gives, or throws an Error with the line that says why not.
export async function ask(action, data = {}) {
  let answer;
  try {
    answer = await fetch(`do/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(data),
    });
  } catch {
    throw new Error("the server does not answer: is mlt-track still running, and the tunnel up?");
  }
  const type = answer.headers.get("Content-Type") ?? "";
  const told = type.includes("json") ? await answer.json() : { error: await answer.text() };
  if (!answer.ok) throw new Error(told.error);
  return told.done;
}
