// What runs, with which settings, and how close it is to its limits.
import { byId, facts, make, setAttribute, setText } from './dom.js';
import { integer, moment, none, number, octets, share, span, words } from './format.js';
import { series } from './listeners.js';
import { table } from './tables.js';

const ratio = (row) => (row.used === null || row.value === 0 ? null : row.used / row.value);
const near = 0.8;

function usage({ process }) {
  if (!process) return [];
  return [
    { name: 'CPU time', text: span(process.cpu_seconds) },
    { name: 'memory', text: octets(process.resident_bytes) },
    { name: 'open files', text: `${integer(process.open_fds)} of ${integer(process.max_fds)}` },
  ];
}

function reloads({ config }) {
  const { reloads: { success, failed }, last_reload_successful: well, last_reload_success: at } = config;
  const total = (result, value) => ({
    name: result === 'success' ? 'reloads' : 'reloads that failed', value,
    series: series('imapmeter_config_reloads_total', { result }),
  });
  return [
    { name: 'settings in force', text: well ? '● the latest' : '▲ not the latest: a reload failed',
      note: `read ${moment(at)}` },
    total('success', success), total('failed', failed),
  ];
}

function process(status) {
  const { build } = status;
  facts(byId('process'), [
    { name: 'version', text: build.version, note: build.revision },
    { name: 'OpenSSL', text: build.openssl },
    { name: 'Boost', text: build.boost },
    { name: 'state', text: status.ready ? '● accepts clients' : '▼ is being stopped' },
    { name: 'up for', text: span(status.uptime_seconds), note: `since ${moment(status.time - status.uptime_seconds)}` },
    { name: 'workers', text: integer(status.config.workers) },
    ...usage(status),
    { name: 'log lines dropped', value: status.log_lines_dropped, series: series('imapmeter_log_lines_dropped_total') },
    ...reloads(status),
  ]);
}

function listeners(status) {
  table('listeners-table', {
    label: 'Listeners', key: (row) => row.name, empty: none,
    columns: [
      { title: 'Listener', kind: 'head', value: (row) => row.name },
      { title: 'Addresses', kind: 'words', value: (row) => row.bind.join(', ') },
      { title: 'Upstream', value: (row) => row.upstream },
      { title: 'Open', kind: 'number', value: (row) => Object.values(row.sessions).reduce((a, b) => a + b, 0) },
    ],
  }).update(status.listeners);
}

function authored(view) {
  table('authored-table', {
    label: 'Said or taken out by imapmeter', key: (row) => row.what,
    columns: [
      { title: 'What', kind: 'head', value: (row) => words(row.what) },
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
    ],
  }).update(Object.entries(view.authored).map(([what, n]) => {
    return { what, n, series: view.series('imapmeter_authored_total', { what }) };
  }));
}

const amount = (limit, n) => (limit.endsWith('_bytes') ? octets(n) : number(n));

function showUse(cell, row) {
  if (!cell.firstElementChild) {
    cell.append(make('meter', { min: 0, max: 1, low: near, high: 0.95, optimum: 0 }), ' ', make('span'));
  }
  const [meter, text] = cell.children;
  meter.hidden = row.used === null;
  setAttribute(meter, 'value', Math.min(1, ratio(row) ?? 0));
  setAttribute(meter, 'aria-label', `${words(row.limit)} of ${row.listener} in use`);
  const warning = ratio(row) >= near ? '▲ ' : '';
  setText(text, row.used === null ? 'its use is not measured' : `${warning}${share(row.used, row.value)}`);
}

export function showLimits(status) {
  table('limits-table', {
    label: 'Limits', key: (row) => `${row.listener} ${row.limit}`, sortBy: 'How close', empty: 'No limit is set.',
    columns: [
      { title: 'Limit', kind: 'head', value: (row) => words(row.limit.replace(/_bytes$/, '')) },
      { title: 'Of', value: (row) => (row.listener === 'all' ? 'the process' : row.listener) },
      { title: 'In use', kind: 'number', value: (row) => row.used,
        text: (row) => (row.used === null ? none : amount(row.limit, row.used)) },
      { title: 'Limit is', kind: 'number', value: (row) => row.value, show: (cell, row) => {
        setText(cell, amount(row.limit, row.value));
        cell.dataset.value = row.value;
        cell.dataset.metric = series('imapmeter_limit', { listener: row.listener, limit: row.limit });
      } },
      { title: 'How close', kind: 'number', value: ratio, show: showUse },
    ],
  }).update(status.limits);
}

export function showProcess(view, status) {
  const { version } = status.build;
  setText(byId('build'), `${version}, up for ${span(status.uptime_seconds)}`);
  process(status);
  listeners(status);
  authored(view);
}
