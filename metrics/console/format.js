// Numbers and times as text, for people.

export const none = '–';
const thin = '\u202f'; // a narrow space that does not break
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minuteFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

export const integer = (n) => whole.format(n).replaceAll(',', thin);

// Three digits that mean something; large numbers whole.
export function number(n) {
  if (Math.abs(n) >= 100) return integer(n);
  return fine.format(n);
}

export const perSecond = (n) => `${number(n)}/s`;

export function share(part, all) {
  if (!all) return none;
  const percent = (100 * part) / all;
  if (percent > 0 && percent < 0.01) return `<0.01${thin}%`;
  return `${percent >= 10 ? Math.round(percent) : fine.format(Number(percent.toFixed(2)))}${thin}%`;
}

// How long a command took.
export function seconds(s) {
  if (s === null || s === undefined) return none;
  if (s === 0) return '0';
  if (s < 0.001) return `${fine.format(s * 1e6)}${thin}µs`;
  if (s < 1) return `${fine.format(s * 1000)}${thin}ms`;
  return `${number(s)}${thin}s`;
}

// How long something has lasted: the two largest units.
export function span(s) {
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => s >= size);
  if (first === -1) return `0${thin}s`;
  let left = Math.floor(s);
  return units.slice(first, first + 2).map(([unit, size]) => {
    const n = Math.floor(left / size);
    left -= n * size;
    return n === 0 ? '' : `${n}${thin}${unit}`;
  }).filter(Boolean).join(' ');
}

export function octets(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let size = n;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${number(size)}${thin}${units[unit]}`;
}

const date = (epoch) => new Date(epoch * 1000);
export const clock = (epoch) => clockFormat.format(date(epoch));
export const minutes = (epoch) => minuteFormat.format(date(epoch));
export const day = (epoch) => dayFormat.format(date(epoch));

// The clock alone where it is today's.
export const moment = (epoch) => {
  const today = day(Date.now() / 1000) === day(epoch);
  return today ? clock(epoch) : `${day(epoch)}, ${clock(epoch)}`;
};

export const words = (name) => name.replaceAll('_', ' ');
