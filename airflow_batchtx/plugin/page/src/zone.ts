import { useSyncExternalStore } from "react";

// Where Airflow keeps the time zone that the user has chosen; it tells of a change by the second of these events.
const KEY = "timezone";
const CHANGES = ["storage", "local-storage"];

function chosen(): string {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;

  try {
    const zone: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");

    return typeof zone === "string" && zone !== "" ? zone : own;
  } catch {
    return own;
  }
}

function subscribe(changed: () => void): () => void {
  for (const name of CHANGES) {
    globalThis.addEventListener(name, changed);
  }
  return () => {
    for (const name of CHANGES) {
      globalThis.removeEventListener(name, changed);
    }
  };
}

export const useZone = (): string => useSyncExternalStore(subscribe, chosen);
