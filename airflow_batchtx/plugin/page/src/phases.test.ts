import { describe, expect, it } from "vitest";

import { bar, bestMode, mayChange, phases, scale, whole } from "./phases";

const NOW = "2026-11-23T13:00:00+00:00";
const job = (created: string, started: string | null, ended: string | null, state = "Completed") => {
  const on = (time: string | null) => (time === null ? null : `2026-11-23T${time}:00+00:00`);

  return { created: on(created) ?? "", ended: on(ended), started: on(started), state };
};

describe("phases", () => {
  it.each([
    ["an ended job", job("12:00", "12:04", "12:34"), 240, 1800, false],
    ["a running one", job("12:30", "12:40", null, "InProgress"), 600, 1200, true],
    ["one that is provisioned", job("12:50", null, null, "InProgress"), 600, null, true],
    ["one that never began", job("12:00", null, "12:10", "Failed"), 600, null, false],
  ])("of %s", (_, lived, provisioning, transform, running) => {
    expect(phases(lived, NOW)).toEqual({ provisioning, running, transform });
  });

  it("are not known where nobody knows how it ended", () => {
    expect(phases(job("12:00", null, null, "NotFollowed"), NOW)).toBeNull();
  });
});

describe("what is shown of a job", () => {
  it.each([
    ["while it runs", "InProgress", false, true],
    ["while it runs on without its task", "InProgress", true, true],
    ["while its task looks at what it wrote, or waits for its next try", "Completed", false, true],
    ["not any more once both have ended", "Failed", true, false],
  ])("may change %s", (_, state, task_is_over, changes) => {
    expect(mayChange({ state, task_is_over })).toBe(changes);
  });
});

describe("bars", () => {
  const jobs = [job("12:00", "12:10", "12:30"), job("12:30", "12:30", "12:40")];

  it("lie side by side in time", () => {
    const drawn = scale(jobs, "clock", NOW);

    expect(jobs.map((one) => bar(one, "clock", drawn, NOW))).toEqual([
      { left: 0, provisioning: 25, transform: 50 },
      { left: 75, provisioning: 0, transform: 25 },
    ]);
  });

  it("begin together where lengths are compared", () => {
    const drawn = scale(jobs, "length", NOW);

    expect(drawn).toEqual({ from: 0, to: 1800 });
    expect(bar(jobs[1]!, "length", drawn, NOW)?.left).toBe(0);
    expect(whole(phases(jobs[0]!, NOW)!)).toBe(drawn.to);
  });

  it("are told apart by the clock only where that can be seen", () => {
    expect(bestMode(jobs, NOW)).toBe("clock");
    expect(bestMode([job("00:00", "00:01", "00:02"), job("12:00", "12:01", "12:02")], NOW)).toBe("length");
    expect(bestMode([], NOW)).toBe("clock");
  });
});
