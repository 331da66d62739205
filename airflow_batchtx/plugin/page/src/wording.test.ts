import { expect, it } from "vitest";

import { bytes, count, duration, moment, money, percent } from "./wording";

it.each([
  [null, "–"],
  [0, "0s"],
  [59.6, "1m 00s"],
  [200, "3m 20s"],
  [3900, "1h 05m"],
])("duration of %s", (seconds, text) => expect(duration(seconds)).toBe(text));

it.each([
  [null, "–"],
  [0, "$0.00"],
  [0.0012, "$0.0012"],
  [12.345, "$12.35"],
])("money of %s", (amount, text) => expect(money(amount, "USD")).toBe(text));

it.each([
  [999, "999 B"],
  [1500, "1.5 KB"],
  [2_000_000, "2 MB"],
])("bytes of %s", (size, text) => expect(bytes(size)).toBe(text));

it("times are in the zone that was chosen", () => {
  expect(moment("2026-11-23T23:30:00.000+00:00", "Europe/Berlin")).toBe("2026-11-24 00:30:00");
  expect(moment(null, "UTC")).toBe("–");
});

it("counts and shares are whole", () => {
  expect(count(1234567)).toBe("1,234,567");
  expect([percent(0, 0), percent(199, 200), percent(3, 2)]).toEqual([0, 99, 100]);
});
