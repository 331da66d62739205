/** When jobs were provisioned and when they transformed, as parts of one scale. */

type Lived = {
  readonly created: string;
  readonly ended: string | null;
  readonly started: string | null;
  readonly state: string;
};

/** A part of a job's life, in seconds; `transform` is null where it has not begun. */
export type Phases = { readonly provisioning: number; readonly running: boolean; readonly transform: number | null };

/** Of a scale's width, in percent: where the life of a job begins and how long its parts are. */
export type Bar = { readonly left: number; readonly provisioning: number; readonly transform: number };

export type Scale = { readonly from: number; readonly to: number };

export type Mode = "clock" | "length";

const RUNNING = new Set(["InProgress", "Stopping"]);

export const isRunning = (job: { readonly state: string }): boolean => RUNNING.has(job.state);

/** A task looks after its job has ended what became of it, and may try again with another one. */
export const mayChange = (job: { readonly state: string; readonly task_is_over: boolean }): boolean =>
  isRunning(job) || !job.task_is_over;

const at = (iso: string) => Date.parse(iso) / 1000;

/** Give the seconds of each part; null where it is not known when the job ended. */
export function phases(job: Lived, now: string): Phases | null {
  const running = isRunning(job);
  const end = job.ended ?? (running ? now : null);

  if (job.created === "" || end === null) {
    return null;
  }
  const began = job.started === null ? at(end) : at(job.started);

  return {
    provisioning: Math.max(began - at(job.created), 0),
    running,
    transform: job.started === null ? null : Math.max(at(end) - began, 0),
  };
}

export const whole = (parts: Phases): number => parts.provisioning + (parts.transform ?? 0);

type Life = { readonly began: number; readonly parts: Phases };

function lives(jobs: readonly Lived[], now: string): Life[] {
  return jobs.flatMap((job) => {
    const parts = phases(job, now);

    return parts === null ? [] : [{ began: at(job.created), parts }];
  });
}

/** Give what all bars are drawn to: the time that the jobs were there, or the length of the longest. */
export function scale(jobs: readonly Lived[], mode: Mode, now: string): Scale {
  const known = lives(jobs, now);
  const longest = Math.max(...known.map((one) => whole(one.parts)), 1);

  if (mode === "length" || known.length === 0) {
    return { from: 0, to: longest };
  }
  return {
    from: Math.min(...known.map((one) => one.began)),
    to: Math.max(...known.map((one) => one.began + whole(one.parts))),
  };
}

/** Side by side in time where they can be told apart so, else by their lengths. */
export function bestMode(jobs: readonly Lived[], now: string): Mode {
  const clock = scale(jobs, "clock", now);

  return clock.to - clock.from <= 12 * scale(jobs, "length", now).to ? "clock" : "length";
}

export function bar(job: Lived, mode: Mode, drawn: Scale, now: string): Bar | null {
  const parts = phases(job, now);

  if (parts === null) {
    return null;
  }
  const width = Math.max(drawn.to - drawn.from, 1e-9);
  const share = (seconds: number) => (100 * seconds) / width;

  return {
    left: mode === "clock" ? share(at(job.created) - drawn.from) : 0,
    provisioning: share(parts.provisioning),
    transform: share(parts.transform ?? 0),
  };
}
