/** Numbers and times as people read them. */

const NOTHING = "–";

/** "1h 05m", "3m 20s", "12s": two units at most. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) {
    return NOTHING;
  }
  const whole = Math.max(Math.round(seconds), 0);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];

  if (hours > 0) {
    return `${hours}h ${String(minutes).padStart(2, "0")}m`;
  }
  return minutes > 0 ? `${minutes}m ${String(rest).padStart(2, "0")}s` : `${rest}s`;
}

export function count(number: number | null | undefined): string {
  return number === null || number === undefined ? NOTHING : number.toLocaleString("en");
}

/** An amount of money; what is less than a cent keeps two digits that say something. */
export function money(amount: number | null | undefined, currency: string | null): string {
  if (amount === null || amount === undefined) {
    return NOTHING;
  }
  const digits = amount > 0 && amount < 0.01 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 2 };

  return amount.toLocaleString("en", {
    currency: currency ?? "USD",
    minimumFractionDigits: 2,
    style: "currency",
    ...digits,
  });
}

export function bytes(size: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = size < 1000 ? 0 : Math.min(Math.floor(Math.log10(size) / 3), units.length - 1);

  return `${(size / 1000 ** power).toLocaleString("en", { maximumFractionDigits: power === 0 ? 0 : 1 })} ${units[power]}`;
}

/** A time as Airflow writes it, in the time zone that the user has chosen there. */
export function moment(iso: string | null, zone: string): string {
  if (iso === null) {
    return NOTHING;
  }
  const parts = new Intl.DateTimeFormat("en-CA", {
    day: "2-digit",
    hour: "2-digit",
    hourCycle: "h23",
    minute: "2-digit",
    month: "2-digit",
    second: "2-digit",
    timeZone: zone,
    year: "numeric",
  }).formatToParts(new Date(iso));
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";

  return `${part("year")}-${part("month")}-${part("day")} ${part("hour")}:${part("minute")}:${part("second")}`;
}

export const timeOfDay = (iso: string, zone: string): string => moment(iso, zone).slice(11);

export const percent = (done: number, total: number): number =>
  total > 0 ? Math.min(Math.floor((100 * done) / total), 100) : 0;
