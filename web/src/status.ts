// The state of the connection, as the person should understand it. Pure.

//   connecting ──connected──▶ online ──lost──▶ reconnecting ──failed──▶ unavailable
//       │ failed                ▲ connected from every state              │
//       └──────▶ unavailable ───┘           the browser is offline ──▶ offline
//   online ──unreadable──▶ unreadable, until the next attempt
export type Status =
  | { readonly kind: "connecting" }
  | { readonly kind: "online" }
  | { readonly kind: "reconnecting" }
  | { readonly kind: "unavailable"; readonly reason?: string }
  | { readonly kind: "unreadable" }
  | { readonly kind: "offline" };

/** What happens to a connection. */
export type Happening =
  | { readonly kind: "connected" }
  /** The connection was lost; the client tries again by itself. */
  | { readonly kind: "lost" }
  /** An attempt failed; with a reason if the server refused it. */
  | { readonly kind: "failed"; readonly reason?: string }
  /** The server cannot read the next message, and ends the connection. */
  | { readonly kind: "unreadable" }
  /** The browser has a network again. */
  | { readonly kind: "network" };

/** The state after `happening`; `network` is whether the browser believes to have one. */
export function next(status: Status, happening: Happening, network: boolean): Status {
  switch (happening.kind) {
    case "connected":
      return { kind: "online" };
    case "unreadable":
      return { kind: "unreadable" };
    case "lost":
      if (status.kind === "unreadable") return status;
      return network ? { kind: "reconnecting" } : { kind: "offline" };
    case "failed":
      if (!network) return { kind: "offline" };
      return { kind: "unavailable", ...(happening.reason ? { reason: happening.reason } : {}) };
    case "network":
      return status.kind === "offline" ? { kind: "reconnecting" } : status;
  }
}

/** A short name and a sentence for it. */
export function describe(status: Status): { name: string; sentence: string } {
  switch (status.kind) {
    case "connecting":
      return { name: "Connecting", sentence: "Connecting to the server." };
    case "online":
      return { name: "Online", sentence: "Connected. New messages arrive at once." };
    case "reconnecting":
      return { name: "Reconnecting", sentence: "The connection was lost. What you write is kept and sent when it is back." };
    case "unreadable":
      return {
        name: "Messages damaged",
        sentence: "A message is damaged on the server, which shows none behind it. What you write is kept; trying again.",
      };
    case "offline":
      return { name: "Offline", sentence: "This device is offline. What you write is kept and sent when it is back." };
    case "unavailable": {
      const why = status.reason ? `The server refused the connection (${status.reason}).` : "The server does not answer.";
      return { name: "Server unavailable", sentence: `${why} What you write is kept; trying again.` };
    }
  }
}
