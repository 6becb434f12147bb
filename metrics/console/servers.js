// The servers of all upstreams beside each other; what differs from its siblings is marked by the verdict.
import { none, seconds, share, words } from './format.js';
import { make, setText } from './dom.js';
import { series } from './listeners.js';
import { table } from './tables.js';
import { sum } from './totals.js';

const of = (row, family, labels = {}) => series(family, { upstream: row.upstream, server: row.server, ...labels });

// In words and by a sign, not by colour alone.
function showState(cell, row) {
  if (!cell.firstElementChild) cell.append(make('span'), ' ', make('span'));
  const [state, outlier] = cell.children;
  const known = row.up ? '● up' : '▼ down';
  setText(state, row.checked || !row.up ? known : '○ not checked');
  state.className = `badge ${row.up ? 'up' : 'down'}`;
  setText(outlier, row.outlier ? '▲ outlier' : '');
  outlier.className = row.outlier ? 'badge outlier' : '';
}

const total = (title, value, family, labels) => ({
  title, kind: 'number', value, series: (row) => of(row, family, labels),
});
const said = (status) => total(status, (row) => row.responses[status], 'imapmeter_server_responses_total', { status });
const login = (result) => total(`login ${words(result)}`, (row) => row.auth_attempts[result],
  'imapmeter_server_auth_attempts_total', { result });
const quantile = (which) => ({
  title: `first\u00a0line ${which}`, kind: 'number', value: (row) => row.first_response?.[which] ?? null,
  text: (row) => seconds(row.first_response?.[which]),
});
const failed = (connects) => sum(connects) - connects.ok;

// Which, where it is more than none.
function failuresByResult(connects) {
  const names = Object.entries(connects).filter(([result, n]) => result !== 'ok' && n !== 0);
  return names.map(([result, n]) => `${words(result)} ${n}`).join(', ') || none;
}

const columns = [
  { title: 'Server', kind: 'head', value: (row) => row.server },
  { title: 'Upstream', value: (row) => row.upstream },
  { title: 'State', value: (row) => (row.up ? 1 : 0), show: showState },
  total('open', (row) => row.sessions, 'imapmeter_upstream_sessions'),
  total('connected', (row) => row.connects.ok, 'imapmeter_upstream_connects_total', { result: 'ok' }),
  { title: 'not connected', kind: 'number', value: (row) => failed(row.connects) },
  said('NO'), said('BAD'), said('BYE'),
  login('success'), login('rejected'), login('temporary'), login('other'),
  { title: 'logins ok %', kind: 'number',
    value: (row) => row.auth_attempts.success / (sum(row.auth_attempts) || 1),
    text: (row) => share(row.auth_attempts.success, sum(row.auth_attempts)) },
  quantile('p50'), quantile('p95'), quantile('p99'),
  { title: 'checks failed', kind: 'number', value: (row) => row.checks?.failed ?? null,
    text: (row) => (row.checked ? share(row.checks.failed, row.checks.ok + row.checks.failed) : none) },
  { title: 'why not connected', value: (row) => failuresByResult(row.connects) },
];

export function showServers(status, outliers) {
  const odd = new Set(outliers.map((each) => `${each.upstream} ${each.server}`));
  const rows = status.upstreams.flatMap(({ name, checked, servers }) => servers.map((server) => {
    return { ...server, upstream: name, checked, outlier: odd.has(`${name} ${server.server}`) };
  }));
  table('servers-table', {
    label: 'Servers', columns, key: (row) => `${row.upstream} ${row.server}`, sortBy: 'Server',
    empty: 'No upstream is configured.',
  }).update(rows);
}
