// One listener, or all of them added up.

const quantiles = new Set(['p50', 'p95', 'p99']);
const rowKeys = {
  commands: (row) => row.command,
  anomalies: (row) => `${row.side} ${row.kind}`,
};

function addRows(a, b, keyOf) {
  const rows = new Map(a.map((row) => [keyOf(row), row]));
  for (const row of b) rows.set(keyOf(row), add(rows.get(keyOf(row)), row));
  return [...rows.values()];
}

function addMembers(a, b) {
  const sum = {};
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    // quantiles have no sum
    sum[key] = quantiles.has(key) ? null : add(a[key], b[key], key);
  }
  return sum;
}

function add(a, b, key = '') {
  if (a === undefined || a === null) return b;
  if (b === undefined || b === null) return a;
  if (typeof a === 'number') return a + b;
  if (Array.isArray(a)) return rowKeys[key] ? addRows(a, b, rowKeys[key]) : [...a, ...b];
  return typeof a === 'object' ? addMembers(a, b) : a;
}

const escaped = (value) => String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

// As /metrics writes it.
export function series(family, labels = {}) {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return pairs.length === 0 ? family : `${family}{${pairs.join(',')}}`;
}

// The listener of that name, or the sum; `series` gives the series of a total where there is one: not of a sum.
export function listenerView(status, chosen) {
  const listeners = status.listeners.filter((each) => chosen === '' || each.name === chosen);
  const single = listeners.length === 1;
  return {
    ...listeners.reduce((a, b) => add(a, b)),
    single,
    series: (family, labels = {}) => (single ? series(family, { listener: listeners[0].name, ...labels }) : null),
  };
}

// The hour of the same listeners: `of` gives a number per step, null where there was none yet.
export function hourView(history, chosen) {
  const listeners = history.listeners.filter((each) => chosen === '' || each.name === chosen);
  const steps = Math.round(3600 / history.step_seconds);
  return {
    end: history.end || Date.now() / 1000, // nothing is noted in the first seconds
    step: history.step_seconds,
    steps,
    of(name) {
      const sum = new Array(steps).fill(null);
      for (const { series: all } of listeners) {
        const values = (all[name] ?? []).slice(-steps);
        const first = steps - values.length;
        values.forEach((value, index) => { sum[first + index] = (sum[first + index] ?? 0) + value; });
      }
      return sum;
    },
    total(name) {
      return this.of(name).reduce((all, value) => all + (value ?? 0), 0);
    },
  };
}
