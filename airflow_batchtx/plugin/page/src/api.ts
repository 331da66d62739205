import { useEffect, useRef, useState } from "react";

/** A job as the list shows it; times are ISO 8601, numbers null where nobody knows them. */
export type Job = {
  readonly cost: number | null;
  readonly created: string;
  readonly currency: string | null;
  readonly dag_id: string;
  readonly done: number | null;
  readonly ended: string | null;
  readonly instance_count: number;
  readonly instance_type: string;
  readonly job_name: string;
  readonly links: { readonly job?: string; readonly logs?: string; readonly output?: string };
  readonly map_index: number;
  readonly model_name: string;
  readonly reason: string;
  readonly reused: boolean;
  readonly rows: number | null;
  readonly run_after: string;
  readonly run_id: string;
  readonly running_cost: number | null;
  readonly seconds_left: number | null;
  readonly started: string | null;
  readonly state: string;
  readonly task_id: string;
  readonly task_is_over: boolean;
  readonly task_state: string | null;
  readonly total: number | null;
  readonly try_number: number;
  readonly unknown: string;
};

export type Jobs = {
  readonly all: number;
  readonly dags: Readonly<Record<string, number>>;
  readonly jobs: readonly Job[];
  readonly now: string;
  readonly page_size: number;
  readonly states: Readonly<Record<string, number>>;
  readonly total: number;
};

export type JobDetails = {
  readonly accept: string | null;
  readonly attempts: number;
  readonly batch_strategy: string | null;
  readonly content_type: string | null;
  readonly control: string | null;
  readonly input: string;
  readonly instance_seconds: number | null;
  readonly job_arn: string;
  readonly join_source: string | null;
  readonly output: string;
  readonly record: string | null;
  readonly split_type: string | null;
} & Job;

export type Pair = {
  readonly input: string;
  readonly output: string;
  readonly size: number;
  readonly written: boolean | null;
};

export type Mapping = {
  readonly page_size: number;
  readonly pairs: readonly Pair[];
  readonly proved: boolean;
  readonly size?: number;
  readonly total: number | null;
  readonly uri?: string;
};

export type Log = {
  readonly failed: readonly { readonly status: number | null; readonly uri: string; readonly words: string }[];
  readonly lines: readonly { readonly stream: string; readonly text: string; readonly time: string }[];
};

export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const WORDS: Readonly<Record<number, string>> = {
  401: "You are not logged in any more. Load the page again to log in.",
  403: "You may not read this.",
};

/** Ask the server's part of the plugin, wherever Airflow is served. */
export async function ask<T>(path: string, signal: AbortSignal): Promise<T> {
  const answer = await fetch(new URL(`batchtx/api/${path}`, document.baseURI), {
    headers: { Accept: "application/json" },
    signal,
  });
  if (answer.ok) {
    return (await answer.json()) as T;
  }
  const body = (await answer.json().catch(() => ({}))) as { detail?: unknown };
  const told = typeof body.detail === "string" ? body.detail : `Airflow answered ${answer.status}.`;
  throw new Refused(answer.status, WORDS[answer.status] ?? told);
}

/** The path of a task instance's job. */
export function jobPath(place: { dagId: string; mapIndex: number; runId: string; taskId: string }): string {
  const [dag, run, task] = [place.dagId, place.runId, place.taskId].map(encodeURIComponent);
  return `dags/${dag}/runs/${run}/tasks/${task}/${place.mapIndex}`;
}

export type Asked<T> = { readonly data?: T; readonly error?: Refused | Error; readonly loading: boolean };

// Airflow makes a view anew when something first changes on it: what it showed shall not be gone meanwhile.
const kept = new Map<string, unknown>();

/**
 * Ask for a path, and again after as many seconds as `again` says of each answer, while somebody looks at the page; null
 * is for never. What came last stays until the next answer, of another path as well; under `name` beyond this view.
 */
export function useAsked<T>(path: string, again: (data: T | undefined) => number | null, name?: string): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>(() => ({
    data: name === undefined ? undefined : (kept.get(name) as T | undefined),
    loading: true,
  }));
  const pause = useRef(again);

  pause.current = again;
  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = (data: T | undefined) => {
      const seconds = pause.current(data);

      if (seconds !== null && !leaving.signal.aborted) {
        timer = setTimeout(look, seconds * 1000);
      }
    };
    const look = () => {
      if (document.hidden) {
        document.addEventListener("visibilitychange", look, { once: true, signal: leaving.signal });
        return;
      }
      ask<T>(path, leaving.signal).then(
        (data) => {
          if (name !== undefined) {
            kept.set(name, data);
          }
          setAsked({ data, loading: false });
          next(data);
        },
        (error: Error) => {
          if (!leaving.signal.aborted) {
            setAsked((before) => ({ data: before.data, error, loading: false }));
            next(undefined);
          }
        },
      );
    };

    setAsked((before) => ({ ...before, loading: true }));
    look();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [name, path]);
  return asked;
}
