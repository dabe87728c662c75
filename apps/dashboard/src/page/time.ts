const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** Formats a time span: `0:07`, `14:59`, `3 h 05`, `6 d 23 h`. */
export function formatSpan(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / SECOND)) * SECOND;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)}:${two(Math.floor((whole % MINUTE) / SECOND))}`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${two(Math.floor((whole % HOUR) / MINUTE))}`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}

/** Formats the time left, rounded up to whole seconds; `now` once it has passed, and a dash for null. */
export function timeLeft(time: string | null, now: number): string {
  if (time === null) return '–';
  const left = Date.parse(time) - now;
  return left <= 0 ? 'now' : formatSpan(left + SECOND - 1);
}

export function timeSince(time: string, now: number): string {
  return formatSpan(now - Date.parse(time));
}

/** Formats a time in the browser's time zone and language. */
export function formatTime(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

export function formatCount(value: number): string {
  return value.toLocaleString();
}

function formatDecimal(value: number): string {
  return value.toLocaleString(undefined, { maximumFractionDigits: 1 });
}

/** Formats seconds as hours. */
export function formatHours(seconds: number): string {
  return formatDecimal(seconds / 3_600);
}

export function formatMoney(value: number): string {
  return value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

export function formatPercent(fraction: number): string {
  return `${formatDecimal(100 * fraction)} %`;
}
