// The server: what it tells, and what it is asked for. Addresses are relative, so that each has the token.

let heard = 0; // The number of the last event that came.
let waiting = []; // {told, go}: who waits for the event of a number, or a later one.

// Hears events until the page closes; after a break the server begins anew, with a snapshot.
export function listen(handlers, linked) {
  const source = new EventSource("events");
  for (const [kind, handle] of Object.entries(handlers)) {
    source.addEventListener(kind, (event) => {
      handle(JSON.parse(event.data));
      heard = Number(event.lastEventId);
      for (const each of waiting) if (each.told <= heard) each.go();
      waiting = waiting.filter((each) => each.told > heard);
    });
  }
  source.onopen = () => linked(true);
  source.onerror = () => {
    linked(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(handlers, linked), 2000);
  };
  addEventListener("pagehide", () => source.close());
}

addEventListener("pageshow", (event) => event.persisted && location.reload()); // Back from the browser's memory, it hears nothing.

// Asks for an action on a clip, by number, or on none; returns what it gives, once the page has heard of all that it
// changed. Throws an Error with the line that says why not.
async function ask(action, data, clip) {
  let answer;
  try {
    answer = await fetch(`do/${action}${clip === null ? "" : `?clip=${clip}`}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(data),
    });
  } catch {
    throw new Error("the server does not answer: is mlt-track still running, and the tunnel up?");
  }
  const type = answer.headers.get("Content-Type") ?? "";
  const given = type.includes("json") ? await answer.json() : { error: await answer.text() };
  if (!answer.ok) throw new Error(given.error);
  if (given.told > heard) await new Promise((go) => waiting.push({ told: given.told, go }));
  return given.done;
}

// Asks for one thing after the other. A target is meant by a choice, {id}: its id is null until the server has named it,
// and another once somebody renames it. So what waits for its turn stays with the target that it was meant for.
export class Requests {
  constructor() {
    this.last = Promise.resolve();
    this.choices = []; // Of what has not been answered.
  }

  // Asks in its turn, about the target of a choice where one is given, which an action that returns a name gives that.
  ask(action, data, clip, choice = null) {
    if (choice) this.choices.push(choice);
    const answer = this.last
      .then(() => ask(action, choice ? { target: choice.id, ...data } : data, clip))
      .then((done) => {
        if (choice && typeof done === "string") choice.id = done;
        return done;
      })
      .finally(() => choice && this.choices.splice(this.choices.indexOf(choice), 1));
    this.last = answer.catch(() => {});
    return answer;
  }
}
